import { toFailure } from '../core/errors.ts'
import type { Location } from '../locations/location.ts'
import { readSmall } from './catalog.ts'
import { deleteUnlessWhole } from './delete-backup.ts'
import { InFlightRecord } from './in-flight.ts'
import { runKey, runsPrefix } from './keys.ts'

export interface SweepOptions {
  readonly clusterName: string
  /** Whether the process that wrote the record is gone for certain. */
  readonly isDead: (record: InFlightRecord) => boolean
  /** Puts back what a dead run had changed at the source; absent: such records are left for who can. */
  readonly release?: ((receipt: string) => Promise<void>) | undefined
  readonly signal: AbortSignal
}

export interface SweepOutcome {
  readonly runsSwept: number
  readonly objectsDeleted: number
  /** What could not be cleaned up, as sentences; it is tried again by the next run. */
  readonly problems: readonly string[]
}

/**
 * Removes what dead runs left in a location: unfinished uploads, temporary files, and artifacts whose manifest was
 * never written. Only what a record of ours names is touched.
 */
export async function sweep(location: Location, options: SweepOptions): Promise<SweepOutcome> {
  let runsSwept = 0
  let objectsDeleted = 0
  const problems: string[] = []
  const prefix = runsPrefix(options.clusterName)
  for (const entry of await location.list(prefix, options)) {
    if (!entry.key.endsWith('.json')) continue
    try {
      const record = InFlightRecord.safeParse(parse(await readSmall(location, entry.key, options)))
      if (!record.success || runKey(options.clusterName, record.data.run_id) !== entry.key) {
        problems.push(`${entry.key} in ${location.name} is not a record this program can read; it was left alone`)
      } else if (options.isDead(record.data)) {
        objectsDeleted += await sweepRun(location, record.data, options)
        if (record.data.receipts.length > 0 && !options.release) continue
        for (const receipt of record.data.receipts) await options.release?.(receipt)
        await location.delete(entry.key, options)
        runsSwept += 1
      }
    } catch (thrown) {
      problems.push(toFailure(thrown, `cleaning up after ${entry.key} in ${location.name}`).message)
    }
  }
  return { runsSwept, objectsDeleted, problems }
}

async function sweepRun(location: Location, record: InFlightRecord, options: SweepOptions): Promise<number> {
  for (const leftover of record.leftovers) await location.discard(leftover, options)
  const { clusterName } = options
  const { policy, backup_id, deleting = [] } = record
  let deleted = 0
  // The run may have died between its manifest and the end of its record: then the backup exists and stays whole.
  for (const backupId of [backup_id, ...deleting]) {
    deleted += await deleteUnlessWhole(location, clusterName, { policy, backupId }, options)
  }
  return deleted
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}
