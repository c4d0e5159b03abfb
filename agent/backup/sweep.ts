import { toFailure } from '../core/errors.ts'
import type { Leftover, Location } from '../locations/location.ts'
import { readSmall } from './catalog.ts'
import { deleteUnlessWhole } from './delete-backup.ts'
import { type InFlightRecord, parseRecord } from './in-flight.ts'
import { runKey, runsPrefix } from './keys.ts'
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
  readonly orphans: readonly Orphan[]
  /** What records of runs were written to when their runs died. */
  readonly strays: readonly Leftover[]
  /** What could not be looked into, as sentences. */
  readonly problems: readonly string[]
}

export interface SweepOutcome {
  readonly runsSwept: number
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
  const alive = new Set<string>()
  const onRecord = new Set<string>()
  const problems: string[] = []
  const prefix = runsPrefix(options.clusterName)
  for (const entry of await location.list(prefix, options)) {
    if (!entry.key.endsWith('.json')) continue
    try {
      const record = parseRecord(await readSmall(location, entry.key, options))
      if (!record || runKey(options.clusterName, record.run_id) !== entry.key) {
        problems.push(`${entry.key} in ${location.name} is not a record this program can read; it was left alone`)
        continue
      }
      for (const backupId of backupsOf(record)) onRecord.add(backupId)
      if (options.isDead(record)) deadRuns.push(record)
      else alive.add(record.run_id)
    } catch (thrown) {
      problems.push(toFailure(thrown, `cleaning up after ${entry.key} in ${location.name}`).message)
    }
  }
  // A record that cannot be read may name anything: what it names must not be taken for nobody's.
  const orphans = problems.length > 0 ? [] : await findOrphans(location, { ...options, onRecord })
  const strays = problems.length > 0 ? [] : await findStrays(location, { ...options, alive, dead: deadRuns })
  return { deadRuns, orphans, strays, problems }
}

/** Removes what `planSweep` finds. */
export async function sweep(location: Location, options: SweepOptions): Promise<SweepOutcome> {
  const { deadRuns, orphans, strays, problems: unread } = await planSweep(location, options)
  let runsSwept = 0
  let objectsDeleted = 0
  const problems = [...unread]
  // Before the records they belong to: those alone tell whose they are.
  for (const stray of strays) {
    try {
      await location.discard(stray, options)
      objectsDeleted += 1
    } catch (thrown) {
      problems.push(toFailure(thrown, `removing ${stray.handle} in ${location.name}`).message)
    }
  }
  for (const record of deadRuns) {
    const key = runKey(options.clusterName, record.run_id)
    try {
      objectsDeleted += await sweepRun(location, record, options)
      if (record.receipts.length > 0 && !options.release) continue
      for (const receipt of record.receipts) await options.release?.(receipt)
      await location.delete(key, options)
      runsSwept += 1
    } catch (thrown) {
      problems.push(toFailure(thrown, `cleaning up after ${key} in ${location.name}`).message)
    }
  }
  for (const orphan of orphans) {
    try {
      objectsDeleted += await deleteUnlessWhole(location, options.clusterName, orphan, options)
    } catch (thrown) {
      problems.push(toFailure(thrown, `removing what is left of ${orphan.backupId} in ${location.name}`).message)
    }
  }
  return { runsSwept, objectsDeleted, problems }
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
