import type { Db, Document, MongoClient } from 'mongodb'
import type { MongodbConfig } from '../../config/config.ts'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import type { RestoreOptions, RestoreOutcome } from '../source.ts'
import type { ArchiveMetadata } from './archive/format.ts'
import { dataCollection } from './archive/format.ts'
import { parseArchive } from './archive/parser.ts'
import { readExtendedJson } from './archive/read-extended-json.ts'
import { mongodbFailure } from './classify.ts'
import { connect } from './connect.ts'
import { Inserter } from './inserter.ts'

/** What `metadata` of an archive holds, its values typed as BSON. */
interface CollectionPlan extends ArchiveMetadata {
  readonly options: Document
  readonly indexes: readonly Document[]
}

/**
 * Puts the databases of an archive back: each is dropped, its collections created with their options, the documents
 * inserted as the bytes they were, then the indexes built, then the views created.
 */
export async function restoreArchive(
  mongodb: MongodbConfig,
  body: AsyncIterable<Uint8Array>,
  options: RestoreOptions,
): Promise<RestoreOutcome> {
  await using connection = await connect(mongodb, options.signal)
  const { client } = connection
  const inserter = new Inserter(client, options)
  const plans: CollectionPlan[] = []
  const problems: string[] = []
  try {
    for await (const event of parseArchive(body)) {
      throwIfAborted(options.signal, 'restoring the archive')
      if (event.type === 'prelude') {
        plans.push(...event.metadata.filter((metadata) => isWanted(metadata, options)).map(readPlan))
        await recreate(client, plans, problems)
      } else if (event.type === 'documents' && isWanted(event.metadata, options)) {
        const { database, collection, type } = event.metadata
        await inserter.add(database, dataCollection(collection, type), event.bytes)
      } else if (event.type === 'end' && isWanted(event.metadata, options)) {
        const { database, collection, type } = event.metadata
        await inserter.flush(database, dataCollection(collection, type))
      }
    }
    await inserter.finish()
  } catch (thrown) {
    await inserter.settle()
    throwIfAborted(options.signal, 'restoring the archive')
    throw mongodbFailure(thrown, 'restoring the archive')
  }
  const indexes = await buildIndexes(client, plans, problems, options.signal)
  await createViews(client, plans, problems)
  const databases = [...new Set(plans.map((plan) => plan.database))]
  return { databases, collections: plans.length, indexes, problems, ...inserter.counted() }
}

function isWanted({ database }: ArchiveMetadata, { databases }: RestoreOptions): boolean {
  return databases === undefined || databases.includes(database)
}

function readPlan(metadata: ArchiveMetadata): CollectionPlan {
  try {
    const parsed = readExtendedJson(metadata.metadata === '' ? '{}' : metadata.metadata)
    const indexes = parsed.get('indexes')
    return {
      ...metadata,
      options: fieldsIn(parsed.get('options')),
      indexes: Array.isArray(indexes) ? indexes.map(fieldsIn) : [],
    }
  } catch (cause) {
    const name = `${metadata.database}.${metadata.collection}`
    throw new Failure(`restoring ${name}: its metadata is not Extended JSON`, { code: 'damaged', cause })
  }
}

/** The names of options are words, so that an object keeps their order; what is inside stays a map. */
function fieldsIn(document: unknown): Document {
  return document instanceof Map ? Object.fromEntries(document) : {}
}

async function recreate(client: MongoClient, plans: readonly CollectionPlan[], problems: string[]): Promise<void> {
  for (const database of new Set(plans.map((plan) => plan.database))) {
    await client.db(database).command({ dropDatabase: 1, writeConcern: { w: 'majority' } })
  }
  for (const plan of plans) {
    if (plan.type !== 'view') await create(client.db(plan.database), plan, problems)
  }
}

/** Where the server refuses the options, the documents still matter more: the collection is made without them. */
async function create(db: Db, { collection, options }: CollectionPlan, problems: string[]): Promise<void> {
  try {
    await db.command({ create: collection, ...options })
  } catch (thrown) {
    if (Object.keys(options).length === 0) throw thrown
    problems.push(mongodbFailure(thrown, `creating ${db.databaseName}.${collection} with its options`).message)
    await db.command({ create: collection })
  }
}

async function buildIndexes(
  client: MongoClient,
  plans: readonly CollectionPlan[],
  problems: string[],
  signal: AbortSignal,
): Promise<number> {
  let built = 0
  for (const { database, collection, indexes } of plans) {
    for (const index of indexes.map(buildable)) {
      // Made with the collection: the index of its ids, or what it is clustered by.
      if (index['name'] === '_id_' || index['clustered'] === true) continue
      throwIfAborted(signal, 'building indexes')
      try {
        await client.db(database).command({ createIndexes: collection, indexes: [index] })
        built += 1
      } catch (thrown) {
        problems.push(mongodbFailure(thrown, `building index ${index['name']} of ${database}.${collection}`).message)
      }
    }
  }
  return built
}

/** Without what every server fills in by itself and some refuse: the namespace, and the version where it is today's. */
function buildable({ ns: _, v: version, ...index }: Document): Document {
  return version === undefined || Number(version) === 2 ? index : { ...index, v: version }
}

/** A view may stand on another view: those that fail are tried again as long as any of the others succeeds. */
async function createViews(client: MongoClient, plans: readonly CollectionPlan[], problems: string[]): Promise<void> {
  let waiting = plans.filter((plan) => plan.type === 'view')
  for (;;) {
    const failed: { plan: CollectionPlan; why: string }[] = []
    for (const plan of waiting) {
      try {
        await client.db(plan.database).command({ create: plan.collection, ...plan.options })
      } catch (thrown) {
        failed.push({ plan, why: mongodbFailure(thrown, `creating view ${plan.database}.${plan.collection}`).message })
      }
    }
    if (failed.length === waiting.length) {
      problems.push(...failed.map(({ why }) => why))
      return
    }
    waiting = failed.map(({ plan }) => plan)
  }
}
