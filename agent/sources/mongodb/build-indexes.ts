import type { Document, MongoClient } from 'mongodb'
import { throwIfAborted } from '../../core/errors.ts'
import type { CollectionPlan } from './collection-plan.ts'
import { MAJORITY } from './operation.ts'
import { refusal, sideBySide } from './side-by-side.ts'

/**
 * Builds the indexes of collections that hold their documents. `client` must wait for an answer as long as it takes: of
 * a large collection that is hours. Gives how many were built; what the server does not take is told in `problems`.
 */
export async function buildIndexes(
  client: MongoClient,
  plans: readonly CollectionPlan[],
  problems: string[],
  signal: AbortSignal,
): Promise<number> {
  let built = 0
  await sideBySide(plans, async (plan) => {
    const { database, collection } = plan
    const wanted = indexesOf(plan)
    if (wanted.length === 0) return
    throwIfAborted(signal, 'building indexes')
    const build = (indexes: readonly Document[], options: Document = {}): Promise<Document> =>
      client.db(database).command({ createIndexes: collection, indexes, ...options, ...MAJORITY })
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
      throwIfAborted(signal, 'building indexes')
      built += await buildOne(index, build, `building index ${index['name']} of ${database}.${collection}`, problems)
    }
  })
  return built
}

/**
 * One that old servers took with options that newer ones do not know is better built without these than not at all
 * (`ignoreUnknownIndexOptions`, as mongorestore does it always).
 */
async function buildOne(
  index: Document,
  build: (indexes: readonly Document[], options?: Document) => Promise<Document>,
  doing: string,
  problems: string[],
): Promise<0 | 1> {
  let refused: string
  try {
    await build([index])
    return 1
  } catch (thrown) {
    refused = refusal(thrown, doing)
  }
  try {
    await build([index], { ignoreUnknownIndexOptions: true })
    problems.push(`${refused}; it was built without the options that this server does not know`)
    return 1
  } catch (thrown) {
    refusal(thrown, doing)
    problems.push(refused)
    return 0
  }
}

/** Those that are not made with the collection, as a server takes them. */
function indexesOf({ options, indexes }: CollectionPlan): Document[] {
  return (
    indexes
      // Made with the collection: the index of its ids, or what it is clustered by.
      .filter((index) => index['name'] !== '_id_' && index['clustered'] !== true)
      .map(buildable)
      // In a collection with a collation an index that has none compares simply, and must say so to be made like that
      // (MongoDB manual, Collation, "Index Operations").
      .map((index) => ('collation' in options && !('collation' in index) ? { ...index, collation: SIMPLE } : index))
  )
}

const SIMPLE = { locale: 'simple' }

/** Without what every server fills in by itself and some refuse: the namespace, and the version where it is today's. */
function buildable({ ns: _, v: version, ...index }: Document): Document {
  return version === undefined || Number(version) === 2 ? index : { ...index, v: version }
}
