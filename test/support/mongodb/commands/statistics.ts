import { BSON } from 'mongodb'
import { collectionArgument, isRecord, recordArgument } from '../arguments.ts'
import { type Collection, fixedVersion } from '../collection.ts'
import type { BatchCommand, Context, FieldsCommand } from '../context.ts'
import type { Batch } from '../cursors.ts'
import { encode, type Fields } from '../encode.ts'
import { CommandError } from '../errors.ts'
import { indexName } from '../index-specification.ts'
import { runPipeline } from '../pipeline.ts'
import { element, embedded, embeddedArray } from '../raw-bson.ts'
import { documentsOf, readFrom } from '../reading.ts'
import type { Request } from '../wire.ts'
import { FIRST_BATCH } from './read.ts'

export const statisticsCommands: Readonly<Record<string, FieldsCommand>> = {
  collStats: collectionStatistics,
  collstats: collectionStatistics,
  dbStats: databaseStatistics,
  dbstats: databaseStatistics,
}

export const aggregateCommands: Readonly<Record<string, BatchCommand>> = { aggregate }

/** MongoDB manual, aggregate; `$collStats` stands first and looks at the collection, not at its documents. */
function aggregate(request: Request, context: Context): Batch {
  const stages = embeddedArray(request.body, 'pipeline')
  const statistics = stages[0] ? embedded(stages[0], '$collStats') : undefined
  if (typeof request.fields['aggregate'] !== 'string') throw new CommandError(73, 'aggregate needs a collection')
  const source = readFrom(request, context)
  const start = statistics ? [collStatsStage(statistics, request, context)] : documentsOf(source.from)
  const batchSize = recordArgument(request.fields, 'cursor')['batchSize']
  return context.cursors.open(
    {
      namespace: `${request.database}.${collectionArgument(request)}`,
      from: fixedVersion(runPipeline(start, statistics ? stages.slice(1) : stages)),
      ...(source.time === undefined ? {} : { snapshotTime: source.time }),
    },
    { batchSize: typeof batchSize === 'number' ? batchSize : FIRST_BATCH, single: false },
  )
}

/** MongoDB manual, $collStats. */
function collStatsStage(asked: Buffer, request: Request, { store, settings }: Context): Buffer {
  const collection = store.find(request.database, collectionArgument(request))
  if (!collection)
    throw new CommandError(26, `Collection [${request.database}.${collectionArgument(request)}] not found`)
  const wanted = BSON.deserialize(asked)
  return encode({
    ns: collection.namespace,
    host: settings.address,
    localTime: new Date(),
    ...(isRecord(wanted['storageStats']) ? { storageStats: storageStatistics(collection) } : {}),
    ...(isRecord(wanted['count']) ? { count: collection.current.length } : {}),
  })
}

function collectionStatistics(request: Request, { store }: Context): Fields {
  const name = collectionArgument(request)
  const collection = store.find(request.database, name)
  return { ns: `${request.database}.${name}`, ...storageStatistics(collection) }
}

/** MongoDB manual, collStats. */
function storageStatistics(collection: Collection | undefined): Fields {
  const count = collection?.current.length ?? 0
  const size = collection?.bytes ?? 0
  const indexes = collection?.indexes ?? []
  return {
    size,
    count,
    ...(count > 0 ? { avgObjSize: Math.floor(size / count) } : {}),
    storageSize: size + 4096,
    freeStorageSize: 0,
    capped: collection ? element(collection.options, 'capped')?.value[0] === 1 : false,
    nindexes: indexes.length,
    totalIndexSize: indexes.length * 4096,
    totalSize: size + 4096 + indexes.length * 4096,
    indexSizes: Object.fromEntries(indexes.map((index) => [indexName(index), 4096])),
    scaleFactor: 1,
  }
}

/** MongoDB manual, dbStats. */
function databaseStatistics(request: Request, { store }: Context): Fields {
  const collections = store.collections(request.database)
  const held = collections.filter(({ type }) => type === 'collection')
  const sum = (of: (collection: Collection) => number): number => held.reduce((total, each) => total + of(each), 0)
  const dataSize = sum(({ bytes }) => bytes)
  const objects = sum(({ current }) => current.length)
  const indexes = sum((collection) => collection.indexes.length)
  return {
    db: request.database,
    collections: held.length,
    views: collections.length - held.length,
    objects,
    avgObjSize: objects > 0 ? dataSize / objects : 0,
    dataSize,
    storageSize: dataSize + 4096 * held.length,
    indexes,
    indexSize: indexes * 4096,
    totalSize: dataSize + 4096 * (held.length + indexes),
    scaleFactor: 1,
  }
}
