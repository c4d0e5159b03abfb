import type { Db, MongoClient } from 'mongodb'
import { MongoServerError } from 'mongodb'
import type { MongodbConfig } from '../../config/config.ts'
import { throwIfAborted } from '../../core/errors.ts'
import type { RestoreOptions, RestoreOutcome } from '../source.ts'
import type { ArchiveMetadata } from './archive/format.ts'
import { dataCollection } from './archive/format.ts'
import { parseArchive } from './archive/parser.ts'
import { buildIndexes } from './build-indexes.ts'
import { mongodbFailure } from './classify.ts'
import { type CollectionPlan, readPlan } from './collection-plan.ts'
import { connect } from './connect.ts'
import { Inserter } from './inserter.ts'
import { COMMENT, MAJORITY } from './operation.ts'
import { takesLiterally } from './raw-insert.ts'
import { refusal, sideBySide } from './side-by-side.ts'
import { Wire } from './wire/wire.ts'

/** MongoDB manual, "Error Codes". */
const NAMESPACE_NOT_FOUND = 26
const NAMESPACE_EXISTS = 48
/** The one system collection that is restored; a server lets nobody drop it by itself. */
const SYSTEM_JS = 'system.js'

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
  const plans: CollectionPlan[] = []
  const problems: string[] = []
  const inserter = new Inserter(wire, options, takesLiterally(await versionOf(client)))
  try {
    for await (const event of parseArchive(body)) {
      throwIfAborted(options.signal, 'restoring the archive')
      if (event.type === 'prelude') {
        for (const metadata of event.metadata) {
          const database = targetOf(metadata, options)
          if (database !== undefined) plans.push({ ...readPlan(metadata), database })
        }
        for (const { database, collection, options: made } of plans) {
          if (made['capped'] === true) inserter.keepOrder(database, collection)
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
  const indexes = await buildAll(mongodb, plans, problems, options.signal)
  await createViews(client, plans, problems)
  const databases = [...new Set(plans.map((plan) => plan.database))]
  const expiring = plans.filter(expires).map(({ database, collection }) => `${database}.${collection}`)
  return { databases, collections: plans.length, indexes, problems, expiring, ...inserter.counted() }
}

async function buildAll(
  mongodb: MongodbConfig,
  plans: readonly CollectionPlan[],
  problems: string[],
  signal: AbortSignal,
): Promise<number> {
  // Nothing is heard of a server while it builds.
  await using patient = await connect(mongodb, signal, { patient: true })
  return await buildIndexes(patient.client, plans, problems, signal)
}

async function versionOf(client: MongoClient): Promise<string> {
  try {
    return String((await client.db('admin').command({ buildInfo: 1, comment: COMMENT }))['version'])
  } catch (thrown) {
    throw mongodbFailure(thrown, 'asking the target for its version')
  }
}

function expires({ options, indexes }: CollectionPlan): boolean {
  return [options, ...indexes].some((one) => one['expireAfterSeconds'] !== undefined)
}

/**
 * What no restore puts back: the server's own databases, and what mongodump may have put beside the data, which is users
 * and roles (`$admin.system.users`) and the oplog (in no database).
 */
export function isServersOwn(database: string, collection: string): boolean {
  if (['', 'admin', 'config', 'local'].includes(database) || collection.startsWith('$admin.')) return true
  return collection.startsWith('system.') && collection !== SYSTEM_JS
}

/** The database that a collection goes into; undefined for one that is left out. */
function targetOf({ database, collection }: ArchiveMetadata, { into }: RestoreOptions): string | undefined {
  const target = into ? into.get(`${database}.${collection}`) : database
  return target === undefined || isServersOwn(target, collection) ? undefined : target
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
    const removal =
      collection === SYSTEM_JS ? { delete: collection, deletes: [{ q: {}, limit: 0 }] } : { drop: collection }
    await client
      .db(database)
      .command({ ...removal, ...MAJORITY })
      .catch((thrown: unknown) => {
        if (!hasCode(thrown, NAMESPACE_NOT_FOUND)) throw thrown
      })
  }
}

function hasCode(thrown: unknown, code: number): boolean {
  return thrown instanceof MongoServerError && thrown.code === code
}

async function create(client: MongoClient, plans: readonly CollectionPlan[], problems: string[]): Promise<void> {
  const collections = plans.filter(({ type }) => type !== 'view')
  await sideBySide(collections, (plan) => createOne(client.db(plan.database), plan, problems))
}

/** Where the server refuses the options, the documents still matter more: the collection is made without them. */
async function createOne(db: Db, { collection, options }: CollectionPlan, problems: string[]): Promise<void> {
  try {
    await db.command({ create: collection, ...options, ...MAJORITY })
  } catch (thrown) {
    if (collection === SYSTEM_JS && hasCode(thrown, NAMESPACE_EXISTS)) return
    if (Object.keys(options).length === 0) throw thrown
    problems.push(refusal(thrown, `creating ${db.databaseName}.${collection} with its options`))
    await db.command({ create: collection, ...MAJORITY })
  }
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
