import type { ReadOptions } from '../source.ts'
import { mongodbFailure } from './classify.ts'
import type { CollectionInfo } from './inventory.ts'
import type { MongodbSourceOptions } from './mongodb-source.ts'
import type { OpenMember } from './open-member.ts'
import { openMember } from './open-member.ts'
import type { Reading } from './operation.ts'
import { QUESTION_MS } from './operation.ts'
import type { ReadPlan } from './read-plan.ts'
import { planReading } from './read-plan.ts'
import { openSession } from './reading-session.ts'
import { missingRights } from './rights.ts'

/** Performs one step and reports it, with what there is to tell about it; rejects with what the step rejects with. */
export type Step = <T>(name: string, task: () => Promise<T>, tell: (value: T) => string) => Promise<T>

/** Does all that a backup does before it moves data, and reads one document of each database. Changes nothing. */
export async function tryReading(
  { mongodb, databases, clock }: Pick<MongodbSourceOptions, 'mongodb' | 'databases' | 'clock'>,
  step: Step,
  { signal }: ReadOptions,
): Promise<void> {
  const open = (): Promise<OpenMember> => openMember(mongodb, signal)
  await using member = await step('connect', open, ({ facts, notes }) =>
    [`${facts.host}, ${facts.role}`, ...notes].join('; '),
  )
  const { client, facts } = member
  await using kept = openSession(client, clock)
  const reading = { session: kept.session, signal }
  const replicated = facts.role !== 'standalone' && facts.role !== 'router'
  const plan = await step('list', () => planReading(client, reading, { databases, replicated }), describePlan)
  await step(
    'read',
    () => readOneOfEach(member, plan.collections, reading),
    (count) => `a document of ${count} databases`,
  )
  const ask = (): Promise<readonly string[] | undefined> => missingRights(client.db('admin'), databases, reading)
  // A backup needs none of them: an account that may only read is a choice.
  await step(
    'rights to restore',
    () => ask().catch(() => undefined),
    (missing) => {
      if (missing === undefined) return 'the server does not tell'
      return missing.length === 0 ? 'all' : `a backup needs none; a restore would lack ${missing.join(', ')}`
    },
  )
}

function describePlan({ choice, collections, readPoint, serverVersion }: ReadPlan): string {
  const absent = choice.absent.length === 0 ? '' : ` (not there: ${choice.absent.join(', ')})`
  const instant = readPoint.at ? 'at one instant' : `not at one instant: ${readPoint.reason ?? 'the server gives none'}`
  return `MongoDB ${serverVersion}; ${collections.length} collections of ${choice.databases.join(', ')}${absent}; ${instant}`
}

/** Resolves with how many databases have something to read. */
async function readOneOfEach(
  { client }: OpenMember,
  collections: readonly CollectionInfo[],
  { session, signal }: Reading,
): Promise<number> {
  const readable = collections.filter(({ type }) => type !== 'view')
  const firsts = new Map(readable.toReversed().map(({ database, collection }) => [database, collection]))
  for (const [database, collection] of firsts) {
    try {
      const options = { limit: 1, projection: { _id: 1 }, maxTimeMS: QUESTION_MS, session, signal }
      await client.db(database).collection(collection).find({}, options).toArray()
    } catch (thrown) {
      throw mongodbFailure(thrown, `reading ${database}.${collection}`)
    }
  }
  return firsts.size
}
