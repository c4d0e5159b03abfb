import { type Failure, lacksRight, toFailure } from '../core/errors.ts'
import type { Leftover, Location } from '../locations/location.ts'
import { readSmall } from './catalog.ts'
import { deleteUnlessWhole } from './delete-backup.ts'
import { type InFlightRecord, parseRecord, recordKey } from './in-flight.ts'
import { runsPrefix } from './keys.ts'
import { sentencesOf } from './one-sentence.ts'
import type { Orphan } from './orphans.ts'
import { findOrphans } from './orphans.ts'
import { findStrays } from './strays.ts'

export interface SweepOptions {
  readonly clusterName: string
  /** Those in whose folders artifacts without a manifest are looked for. */
  readonly policies: readonly string[]
  readonly now: Date
  /** Whether the process that wrote the record is gone for certain. */
  readonly isDead: (record: InFlightRecord) => boolean
  /** Puts back what a dead run had changed at the source; absent: such records are left for who can. */
  readonly release?: ((receipt: string) => Promise<void>) | undefined
  readonly signal: AbortSignal
}

/** What a sweep would remove. */
export interface SweepPlan {
  readonly deadRuns: readonly InFlightRecord[]
  /** Records of runs that are over, and could not be deleted at their end. */
  readonly endedRuns: readonly InFlightRecord[]
  readonly orphans: readonly Orphan[]
  /** What records of runs were written to when their runs died. */
  readonly strays: readonly Leftover[]
  /** What could not be looked into, as sentences. */
  readonly problems: readonly string[]
}

export interface SweepOutcome {
  readonly runsSwept: number
  /** A record that may not be deleted and says nothing any more, by the name it lies under. */
  readonly slot?: string
  readonly objectsDeleted: number
  /** What could not be cleaned up, as sentences; it is tried again by the next run. */
  readonly problems: readonly string[]
}

/**
 * Finds what dead runs left in a location: unfinished uploads, temporary files, and artifacts whose manifest was never
 * written. Only what a record of ours names, or what lies nameless under a name of our making for days.
 */
export async function planSweep(location: Location, options: SweepOptions): Promise<SweepPlan> {
  const deadRuns: InFlightRecord[] = []
  const endedRuns: InFlightRecord[] = []
  const records: InFlightRecord[] = []
  const onRecord = new Set<string>()
  const problems: string[] = []
  const prefix = runsPrefix(options.clusterName)
  for (const entry of await location.list(prefix, options)) {
    if (!entry.key.endsWith('.json')) continue
    try {
      const record = parseRecord(await readSmall(location, entry.key, options))
      if (!record || recordKey(options.clusterName, record) !== entry.key) {
        problems.push(`${entry.key} in ${location.name} is not a record this program can read; it was left alone`)
        continue
      }
      if (record.ended_at) {
        endedRuns.push(record)
        continue
      }
      records.push(record)
      for (const backupId of backupsOf(record)) onRecord.add(backupId)
      if (options.isDead(record)) deadRuns.push(record)
    } catch (thrown) {
      problems.push(toFailure(thrown, `cleaning up after ${entry.key} in ${location.name}`).message)
    }
  }
  // A record that cannot be read may name anything: what it names must not be taken for nobody's.
  const orphans = problems.length > 0 ? [] : await findOrphans(location, { ...options, onRecord })
  const strays = problems.length > 0 ? [] : await findStrays(location, { ...options, records, dead: deadRuns })
  return { deadRuns, endedRuns, orphans, strays, problems }
}

/** Removes what `planSweep` finds. */
export async function sweep(location: Location, options: SweepOptions): Promise<SweepOutcome> {
  const { deadRuns, endedRuns, orphans, strays, problems: unread } = await planSweep(location, options)
  let runsSwept = 0
  let objectsDeleted = 0
  let slot: string | undefined
  const failures: Failure[] = []
  // What it named is gone by then. Only a refused deletion frees the name: one whose answer was lost may still come, and
  // would take the record that is written there next.
  const deleteRecord = async (record: InFlightRecord): Promise<void> => {
    try {
      await location.delete(recordKey(options.clusterName, record), options)
    } catch (thrown) {
      if (lacksRight(thrown) && options.policies.includes(record.policy)) slot ??= record.slot ?? record.run_id
      throw thrown
    }
  }
  // Before the records they belong to: those alone tell whose they are.
  for (const stray of strays) {
    try {
      await location.discard(stray, options)
      objectsDeleted += 1
    } catch (thrown) {
      failures.push(toFailure(thrown, `removing ${stray.handle} in ${location.name}`))
    }
  }
  for (const record of endedRuns) {
    try {
      await deleteRecord(record)
    } catch (thrown) {
      failures.push(toFailure(thrown, `removing the record of run ${record.run_id} in ${location.name}`))
    }
  }
  for (const record of deadRuns) {
    const key = recordKey(options.clusterName, record)
    try {
      objectsDeleted += await sweepRun(location, record, options)
      if (record.receipts.length > 0 && !options.release) continue
      for (const receipt of record.receipts) await options.release?.(receipt)
      await deleteRecord(record)
      runsSwept += 1
    } catch (thrown) {
      failures.push(toFailure(thrown, `cleaning up after ${key} in ${location.name}`))
    }
  }
  for (const orphan of orphans) {
    try {
      objectsDeleted += await deleteUnlessWhole(location, options.clusterName, orphan, options)
    } catch (thrown) {
      failures.push(toFailure(thrown, `removing what is left of ${orphan.backupId} in ${location.name}`))
    }
  }
  const problems = [...unread, ...sentencesOf(failures)]
  return { runsSwept, objectsDeleted, problems, ...(slot === undefined ? {} : { slot }) }
}

async function sweepRun(location: Location, record: InFlightRecord, options: SweepOptions): Promise<number> {
  for (const leftover of record.leftovers) await location.discard(leftover, options)
  let deleted = record.leftovers.length
  // The run may have died between its manifest and the end of its record: then the backup exists and stays whole.
  for (const backupId of backupsOf(record)) {
    const backup = { policy: record.policy, backupId }
    deleted += await deleteUnlessWhole(location, options.clusterName, backup, options)
  }
  return deleted
}

function backupsOf({ backup_id, deleting = [] }: InFlightRecord): string[] {
  return [backup_id, ...deleting]
}
