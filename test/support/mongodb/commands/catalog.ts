import { Binary } from 'mongodb'
import { collectionArgument, numberArgument, recordArgument } from '../arguments.ts'
import { type Collection, fixedVersion } from '../collection.ts'
import type { BatchCommand, Context, FieldsCommand } from '../context.ts'
import type { Batch } from '../cursors.ts'
import { encode, type Fields } from '../encode.ts'
import { CommandError } from '../errors.ts'
import { compileFilter } from '../match.ts'
import { embedded } from '../raw-bson.ts'
import type { Request } from '../wire.ts'

export const catalogCommands: Readonly<Record<string, FieldsCommand>> = { listDatabases }

export const catalogBatchCommands: Readonly<Record<string, BatchCommand>> = { listCollections, listIndexes }

/** MongoDB manual, listDatabases. */
function listDatabases(request: Request, { store }: Context): Fields {
  const matches = compileFilter(embedded(request.body, 'filter'))
  const databases: Fields[] = []
  let totalSize = 0
  for (const name of store.databases()) {
    const sizeOnDisk = store.collections(name).reduce((sum, collection) => sum + collection.bytes, 4096)
    const described = { name, sizeOnDisk: BigInt(sizeOnDisk), empty: false }
    if (matches && !matches(encode(described))) continue
    totalSize += sizeOnDisk
    databases.push(request.fields['nameOnly'] === true ? { name } : described)
  }
  if (request.fields['nameOnly'] === true) return { databases }
  return { databases, totalSize: BigInt(totalSize), totalSizeMb: BigInt(Math.floor(totalSize / 1024 / 1024)) }
}

/** MongoDB manual, listCollections. */
function listCollections(request: Request, context: Context): Batch {
  const describe = request.fields['nameOnly'] === true ? describeByName : describeCollection
  const described = context.store.collections(request.database).map((collection) => encode(describe(collection)))
  return listing(request, context, described, '$cmd.listCollections')
}

function describeByName({ name, type }: Collection): Fields {
  return { name, type }
}

function describeCollection({ name, type, options, uuid, indexes }: Collection): Fields {
  // Only what holds documents has an identity and an index; views and time series stand for other collections.
  const holds = type === 'collection'
  return {
    name,
    type,
    options,
    info: holds ? { readOnly: false, uuid: new Binary(uuid.buffer, 4) } : { readOnly: type === 'view' },
    idIndex: holds ? indexes.find((index) => index.includes('_id_\0')) : undefined,
  }
}

/** MongoDB manual, listIndexes. */
function listIndexes(request: Request, context: Context): Batch {
  const name = collectionArgument(request)
  const collection = context.store.find(request.database, name)
  if (!collection) throw new CommandError(26, `ns does not exist: ${request.database}.${name}`)
  if (collection.type === 'view') {
    throw new CommandError(166, `Namespace ${collection.namespace} is a view, not a collection`)
  }
  return listing(request, context, collection.indexes, name)
}

function listing(request: Request, { cursors }: Context, documents: readonly Buffer[], name: string): Batch {
  const filter = compileFilter(embedded(request.body, 'filter'))
  const asked = recordArgument(request.fields, 'cursor')['batchSize']
  return cursors.open(
    {
      namespace: `${request.database}.${name}`,
      from: fixedVersion(filter ? documents.filter(filter) : documents),
    },
    {
      batchSize: numberArgument(request, 'batchSize') ?? (typeof asked === 'number' ? asked : Number.POSITIVE_INFINITY),
      single: false,
    },
  )
}
