import type { BackupSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { artifactPrefix, damagedKey, manifestKey, pinKey, verifiedKey } from './keys.ts'

type Named = Pick<BackupSummary, 'policy' | 'backupId'>

/** The first step of removing a backup: without its manifest, what is left of it is no backup any more. */
export async function deleteManifest(
  location: Location,
  clusterName: string,
  { policy, backupId, complete }: Named & Pick<BackupSummary, 'complete'>,
  options: CallOptions,
): Promise<void> {
  await location.delete(manifestKey(clusterName, policy, backupId, complete), options)
}

/** The second step: its artifacts, and what was learned of it later. Gives the number of artifacts. */
export async function deleteRemains(
  location: Location,
  clusterName: string,
  backup: Named,
  options: CallOptions,
): Promise<number> {
  const artifacts = await deleteArtifacts(location, clusterName, backup, options)
  for (const key of [verifiedKey, damagedKey, pinKey]) {
    await location.delete(key(clusterName, backup.policy, backup.backupId), options)
  }
  return artifacts
}

export async function deleteArtifacts(
  location: Location,
  clusterName: string,
  { policy, backupId }: Named,
  options: CallOptions,
): Promise<number> {
  const artifacts = await location.list(artifactPrefix(clusterName, policy, backupId), options)
  for (const { key } of artifacts) await location.delete(key, options)
  return artifacts.length
}

/** The rest of a deletion that a kill interrupted; a backup whose manifest is there stays as it is. */
export async function deleteUnlessWhole(
  location: Location,
  clusterName: string,
  backup: Named,
  options: CallOptions,
): Promise<number> {
  for (const complete of [true, false]) {
    const key = manifestKey(clusterName, backup.policy, backup.backupId, complete)
    if (await location.stat(key, options)) return 0
  }
  return await deleteRemains(location, clusterName, backup, options)
}
