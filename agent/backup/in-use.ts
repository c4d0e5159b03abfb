import { Failure } from '../core/errors.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { readSmall } from './catalog.ts'
import { type InFlightRecord, parseRecord } from './in-flight.ts'
import { runsPrefix } from './keys.ts'

export interface InUseOptions extends CallOptions {
  readonly clusterName: string
  /** The run that asks: what it holds itself does not count. */
  readonly runId: string
  /** Whether the process that wrote the record is gone for certain. */
  readonly isDead: (record: InFlightRecord) => boolean
}

/** Ids of the backups that other runs, alive as far as can be told, have on record in a location. */
export async function backupsInUse(location: Location, options: InUseOptions): Promise<ReadonlySet<string>> {
  return new Set((await otherRuns(location, options)).map((record) => record.backup_id))
}

/** What other runs, alive as far as can be told, have on record in a location. */
export async function otherRuns(location: Location, options: InUseOptions): Promise<readonly InFlightRecord[]> {
  const alive: InFlightRecord[] = []
  for (const { key } of await location.list(runsPrefix(options.clusterName), options)) {
    if (!key.endsWith('.json')) continue
    const bytes = await readUnlessGone(location, key, options)
    const record = bytes && parseRecord(bytes)
    if (record && !record.ended_at && record.run_id !== options.runId && !options.isDead(record)) alive.push(record)
  }
  return alive
}

/** A run that ended between the listing and the reading has taken its record with it. */
export async function readUnlessGone(
  location: Location,
  key: string,
  options: CallOptions,
): Promise<Uint8Array | undefined> {
  try {
    return await readSmall(location, key, options)
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.code === 'not_found') return undefined
    throw thrown
  }
}
