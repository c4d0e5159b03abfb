import type { BackupSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { artifactPrefix, manifestKey, pinKey, verifiedKey } from './keys.ts'

/**
 * Removes a backup: its manifest first, so that what is left half deleted is no backup any more; then its artifacts,
 * and what was learned of it later.
 */
export async function deleteBackup(
  location: Location,
  clusterName: string,
  backup: Pick<BackupSummary, 'policy' | 'backupId' | 'complete'>,
  options: CallOptions,
): Promise<void> {
  await location.delete(manifestKey(clusterName, backup.policy, backup.backupId, backup.complete), options)
  await deleteArtifacts(location, clusterName, backup, options)
  for (const key of [verifiedKey, pinKey]) {
    await location.delete(key(clusterName, backup.policy, backup.backupId), options)
  }
}

export async function deleteArtifacts(
  location: Location,
  clusterName: string,
  backup: Pick<BackupSummary, 'policy' | 'backupId'>,
  options: CallOptions,
): Promise<void> {
  const prefix = artifactPrefix(clusterName, backup.policy, backup.backupId)
  for (const entry of await location.list(prefix, options)) await location.delete(entry.key, options)
}
