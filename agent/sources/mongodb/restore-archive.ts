import type { Db, Document, MongoClient } from 'mongodb'
import { MongoServerError } from 'mongodb'
import type { MongodbConfig } from '../../config/config.ts'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import type { RestoreOptions, RestoreOutcome } from '../source.ts'
import type { ArchiveMetadata } from './archive/format.ts'
import { dataCollection } from './archive/format.ts'
import { parseArchive } from './archive/parser.ts'
import { readExtendedJson } from './archive/read-extended-json.ts'
import { mongodbFailure, readingFailure } from './classify.ts'
import { connect } from './connect.ts'
import { Inserter } from './inserter.ts'
import { Wire } from './wire/wire.ts'

const MAJORITY = { writeConcern: { w: 'majority' } }
/** MongoDB manual, "Error Codes". */
const NAMESPACE_NOT_FOUND = 26
const SIDE_BY_SIDE = 4

/** What `metadata` of an archive holds, its values typed as BSON. */
interface CollectionPlan extends ArchiveMetadata {
  readonly options: Document
  readonly indexes: readonly Document[]
}

/**
 * Puts collections of an archive back: what stands in their place is dropped, they are created with their options, the
 * documents inserted as the bytes they were, then the indexes built, then the views created.
 */
export async function restoreArchive(
  mongodb: MongodbConfig,
  body: AsyncIterable<Uint8Array>,
  options: RestoreOptions,
): Promise<RestoreOutcome> {
  await using connection = await connect(mongodb, options.signal)
  const { client } = connection
  using wire = new Wire(client, { replies: 'short' })
  const inserter = new Inserter(wire, options)
  const plans: CollectionPlan[] = []
  const problems: string[] = []
  try {
    for await (const event of parseArchive(body)) {
      throwIfAborted(options.signal, 'restoring the archive')
      if (event.type === 'prelude') {
        for (const metadata of event.metadata) {
          const database = targetOf(metadata, options)
          if (database !== undefined) plans.push({ ...readPlan(metadata), database })
        }
        await makeRoom(client, plans, options)
        await create(client, plans, problems)
        continue
      }
      const { collection, type } = event.metadata
      const database = targetOf(event.metadata, options)
      if (database === undefined) continue
      const stored = dataCollection(collection, type)
      if (event.type === 'documents') await inserter.add(database, stored, event.bytes)
      else await inserter.flush(database, stored)
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
  const expiring = plans.filter(expires).map(({ database, collection }) => `${database}.${collection}`)
  return { databases, collections: plans.length, indexes, problems, expiring, ...inserter.counted() }
}

function expires({ options, indexes }: CollectionPlan): boolean {
  return [options, ...indexes].some((one) => one['expireAfterSeconds'] !== undefined)
}

/** The database that a collection goes into; undefined for one that is left out. Never one of the server's own. */
function targetOf({ database, collection }: ArchiveMetadata, { into }: RestoreOptions): string | undefined {
  const target = into ? into.get(`${database}.${collection}`) : database
  return target === undefined || ['admin', 'config', 'local'].includes(target) ? undefined : target
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

async function makeRoom(
  client: MongoClient,
  plans: readonly CollectionPlan[],
  { drop = plans.map(({ database }) => database) }: RestoreOptions,
): Promise<void> {
  const whole = new Set(drop)
  for (const database of whole) await client.db(database).command({ dropDatabase: 1, ...MAJORITY })
  for (const { database, collection } of plans) {
    if (whole.has(database)) continue
    await client
      .db(database)
      .command({ drop: collection, ...MAJORITY })
      .catch((thrown: unknown) => {
        if (!(thrown instanceof MongoServerError) || thrown.code !== NAMESPACE_NOT_FOUND) throw thrown
      })
  }
}

async function create(client: MongoClient, plans: readonly CollectionPlan[], problems: string[]): Promise<void> {
  const collections = plans.filter(({ type }) => type !== 'view')
  await sideBySide(collections, (plan) => createOne(client.db(plan.database), plan, problems))
}

/** Where the server refuses the options, the documents still matter more: the collection is made without them. */
async function createOne(db: Db, { collection, options }: CollectionPlan, problems: string[]): Promise<void> {
  try {
    await db.command({ create: collection, ...options })
  } catch (thrown) {
    if (Object.keys(options).length === 0) throw thrown
    problems.push(refusal(thrown, `creating ${db.databaseName}.${collection} with its options`))
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
  await sideBySide(plans, async ({ database, collection, indexes }) => {
    // Made with the collection: the index of its ids, or what it is clustered by.
    const wanted = indexes.map(buildable).filter((index) => index['name'] !== '_id_' && index['clustered'] !== true)
    if (wanted.length === 0) return
    throwIfAborted(signal, 'building indexes')
    const build = (some: readonly Document[]): Promise<Document> =>
      client.db(database).command({ createIndexes: collection, indexes: some, ...MAJORITY })
    try {
      // In one command the server reads the collection once for all of them.
      await build(wanted)
      built += wanted.length
      return
    } catch (thrown) {
      throwIfAborted(signal, 'building indexes')
      // Goes on only where the server refuses one of them: which one is found by building each.
      refusal(thrown, `building the indexes of ${database}.${collection}`)
    }
    for (const index of wanted) {
      try {
        await build([index])
        built += 1
      } catch (thrown) {
        throwIfAborted(signal, 'building indexes')
        problems.push(refusal(thrown, `building index ${index['name']} of ${database}.${collection}`))
      }
    }
  })
  return built
}

/**
 * Why the server does not take something, for those who can go on without it. What only failed, because a connection
 * broke or an election began, is thrown: the restore is not finished, and the next one does it.
 */
function refusal(thrown: unknown, doing: string): string {
  const failure = mongodbFailure(thrown, doing)
  const lost = readingFailure(thrown, doing).code === 'source_changed'
  if (!(thrown instanceof MongoServerError) || failure.retryable || lost) throw failure
  return failure.message
}

/** Runs the task on a few of the items at a time; rejects with the first failure once all that began have ended. */
async function sideBySide<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  let failed = false
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined && !failed; item = waiting.shift()) {
      await task(item).catch((thrown: unknown) => {
        failed = true
        throw thrown
      })
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: SIDE_BY_SIDE }, worker))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
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
        await client.db(plan.database).command({ create: plan.collection, ...plan.options, ...MAJORITY })
      } catch (thrown) {
        failed.push({ plan, why: refusal(thrown, `creating view ${plan.database}.${plan.collection}`) })
      }
    }
    if (failed.length === waiting.length) {
      problems.push(...failed.map(({ why }) => why))
      return
    }
    waiting = failed.map(({ plan }) => plan)
  }
}
