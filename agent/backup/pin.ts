import type { BackupSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { replayable } from '../locations/location.ts'
import { readSmall } from './catalog.ts'
import { pinKey } from './keys.ts'

type Named = Pick<BackupSummary, 'policy' | 'backupId'>

/** What a pin says for people; that it is there is what counts. */
interface Pin {
  /** ISO 8601, UTC */
  readonly pinned_at: string
  readonly reason?: string
}

/** Keeps retention from ever deleting a backup in this location. */
export async function pinBackup(
  location: Location,
  clusterName: string,
  { policy, backupId }: Named,
  pin: Pin,
  options: CallOptions,
): Promise<void> {
  const body = replayable(Buffer.from(`${JSON.stringify(pin)}\n`))
  const key = pinKey(clusterName, policy, backupId)
  await location.put(key, body, options)
  await readSmall(location, key, options)
}

/** Leaves the backup to retention again; succeeds when it was not pinned. */
export async function unpinBackup(
  location: Location,
  clusterName: string,
  { policy, backupId }: Named,
  options: CallOptions,
): Promise<void> {
  await location.delete(pinKey(clusterName, policy, backupId), options)
}
