import { z } from 'zod'
import { Failure, lacksRight, toFailure } from '../core/errors.ts'
import type { UnfinishedRestoreSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { replayable } from '../locations/location.ts'
import { readSmall } from './catalog.ts'
import { type InFlightRecord, Owner, parseRecord } from './in-flight.ts'
import { readUnlessGone } from './in-use.ts'
import { restoreKey, restoresPrefix, runKey } from './keys.ts'
import type { Selected } from './restore-selection.ts'

/** Safety backups lie beside those of policies, under a name that no policy can have. */
export const SAFETY_POLICY = '.safety'

/**
 * A restore that has begun to change its target: `<cluster_name>/.restores/<target>.json`. It is there until the target
 * is proven to be what the backup holds; after a crash it says what must be finished or rolled back.
 */
export const UnfinishedRestore = z.strictObject({
  format_version: z.literal(1),
  /** Whose record in flight tells whether it still runs. */
  run_id: z.string(),
  /** `host:port` of the target. */
  target: z.string().min(1),
  backup_id: z.string(),
  policy: z.string(),
  /** All that are changed; of them, those that are replaced whole, and the collections of the others. */
  databases: z.array(z.string()),
  drop: z.array(z.string()),
  collections: z.array(z.string()),
  /** `finished` where the record may not be deleted. */
  stage: z.enum(['restoring', 'comparing', 'finished']),
  started_at: z.iso.datetime(),
  owner: Owner,
  /** What the target held before; absent where it held nothing, or the operator wanted none. */
  safety: z.strictObject({ backup_id: z.string(), complete: z.boolean() }).optional(),
})
export type UnfinishedRestore = Readonly<z.infer<typeof UnfinishedRestore>>

export function summaryOf(record: UnfinishedRestore): UnfinishedRestoreSummary {
  const { target, backup_id: backupId, stage, started_at: startedAt } = record
  return { target, backupId, stage, startedAt }
}

/** What an unfinished restore has begun to replace and another one would not, as databases and `database.collection`. */
export function leftHalfDone({ drop, collections }: UnfinishedRestore, next: Selected): readonly string[] {
  const replaced = new Set(next.collections.map(({ place }) => `${place.database}.${place.collection}`))
  const whole = (name: string): boolean => next.drop.includes(name)
  const single = collections.filter((name) => !replaced.has(name) && !whole(name.slice(0, name.indexOf('.'))))
  return [...drop.filter((name) => !whole(name)), ...single].sort()
}

/** What a restore replaces, as its record names it. */
export function replacedBy({
  databases,
  drop,
  collections,
}: Selected): Pick<UnfinishedRestore, 'databases' | 'drop' | 'collections'> {
  const single = collections.filter(({ place }) => !drop.includes(place.database))
  return {
    databases: [...databases],
    drop: [...drop],
    collections: single.map(({ place }) => `${place.database}.${place.collection}`),
  }
}

export async function recordRestore(
  location: Location,
  clusterName: string,
  record: UnfinishedRestore,
  options: CallOptions,
): Promise<void> {
  const body = replayable(Buffer.from(`${JSON.stringify(record, null, 1)}\n`))
  await location.put(restoreKey(clusterName, record.target), body, options)
}

/** Removes the record, or says in it that the restore is finished where nothing may be deleted. */
export async function forgetRestore(
  location: Location,
  clusterName: string,
  record: UnfinishedRestore,
  options: CallOptions,
): Promise<void> {
  try {
    await location.delete(restoreKey(clusterName, record.target), options)
  } catch (thrown) {
    if (!lacksRight(thrown)) throw thrown
    await recordRestore(location, clusterName, { ...record, stage: 'finished' }, options)
  }
}

/** Restores of an installation that were begun and not finished, as a location has them on record. */
export async function unfinishedRestores(
  location: Location,
  clusterName: string,
  options: CallOptions,
): Promise<readonly UnfinishedRestore[]> {
  const found: UnfinishedRestore[] = []
  for (const { key } of await location.list(restoresPrefix(clusterName), options)) {
    if (!key.endsWith('.json')) continue
    try {
      const bytes = await readSmall(location, key, options)
      const record = UnfinishedRestore.parse(JSON.parse(Buffer.from(bytes).toString()))
      if (record.stage !== 'finished') found.push(record)
    } catch (thrown) {
      const failure = toFailure(thrown)
      if (failure.code === 'not_found') continue
      if (failure.code !== 'internal') throw failure
      throw new Failure(`reading ${key} in ${location.name}: it is no record of a restore`, {
        code: 'damaged',
        hint: 'See what it says, finish or roll back that restore, and delete the object.',
        cause: thrown,
      })
    }
  }
  return found
}

/** Ids of the backups that unfinished restores must still be finished from or rolled back to. */
export async function neededByRestores(
  location: Location,
  clusterName: string,
  options: CallOptions,
): Promise<ReadonlySet<string>> {
  const restores = await unfinishedRestores(location, clusterName, options)
  return new Set(restores.flatMap(({ backup_id: id, safety }) => [id, ...(safety ? [safety.backup_id] : [])]))
}

/** Whether the process that does it may still be there: its record in flight is, and does not belong to a dead one. */
export async function isUnderWay(
  location: Location,
  clusterName: string,
  { run_id: runId }: UnfinishedRestore,
  options: CallOptions & { readonly isDead: (record: InFlightRecord) => boolean },
): Promise<boolean> {
  const bytes = await readUnlessGone(location, runKey(clusterName, runId), options)
  const record = bytes && parseRecord(bytes)
  return bytes !== undefined && (!record || !(record.ended_at || options.isDead(record)))
}
