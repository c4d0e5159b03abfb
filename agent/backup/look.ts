import { Failure, toFailure } from '../core/errors.ts'
import type { BackupFacts, BackupSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import type { PolicyRef } from './catalog.ts'
import { fetchManifest } from './catalog.ts'
import { artifactKey, artifactPrefix, manifestKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import { factsOf } from './manifest.ts'
import { wrongSize } from './prove-artifact.ts'

/** What a look at a backup has found. Only `whole` may be relied on. */
export type Look =
  | { readonly found: 'whole'; readonly facts: BackupFacts }
  /** Its manifest is not one, or an artifact is missing or has another size. */
  | { readonly found: 'damaged'; readonly problem: Failure }
  /** Its manifest is of a newer format, or of another installation. */
  | { readonly found: 'unreadable'; readonly problem: Failure }
  /** It was deleted since it was listed. */
  | { readonly found: 'gone' }

/**
 * Whether a backup is there whole, as far as can be told without reading it: a listing of manifests shows that one has a
 * name, and neither whether it can be read nor whether its artifacts are there with their sizes. What cannot be told, for
 * whatever reason, is thrown: a location that has a bad moment says nothing against a backup.
 */
export async function lookAt(
  location: Location,
  { clusterName }: Pick<PolicyRef, 'clusterName'>,
  backup: BackupSummary,
  options: CallOptions,
): Promise<Look> {
  const { policy, backupId, complete } = backup
  let decode: () => Manifest
  try {
    decode = await fetchManifest(location, { clusterName }, backup, options)
  } catch (thrown) {
    const failure = toFailure(thrown)
    if (failure.code !== 'not_found') throw thrown
    if (!(await location.stat(manifestKey(clusterName, policy, backupId, complete), options))) return { found: 'gone' }
    throw new Failure(`${failure.message}; and it is there`, { code: 'unavailable', retryable: true, cause: thrown })
  }
  let manifest: Manifest
  try {
    manifest = decode()
  } catch (thrown) {
    const { code } = toFailure(thrown)
    return { found: code === 'damaged' ? 'damaged' : 'unreadable', problem: against(location, backup, thrown) }
  }
  const listed = await location.list(artifactPrefix(clusterName, policy, backupId), options)
  const entries = new Map(listed.map((entry) => [entry.key, entry]))
  for (const artifact of manifest.artifacts) {
    const key = artifactKey(clusterName, policy, backupId, artifact.file)
    const where = `${key} in ${location.name}`
    if (!wrongSize(where, entries.get(key), artifact)) continue
    // One answer is not enough to say that something is lost.
    const wrong = wrongSize(where, await location.stat(key, options), artifact)
    if (wrong) return { found: 'damaged', problem: against(location, backup, wrong) }
  }
  return { found: 'whole', facts: factsOf(manifest) }
}

function against({ name }: Location, { backupId }: BackupSummary, thrown: unknown): Failure {
  const { code, message, hint } = toFailure(thrown)
  return new Failure(`backup ${backupId} in ${name} does not count as a good one: ${message}`, {
    ...{ code, cause: thrown },
    ...(hint === undefined ? {} : { hint }),
  })
}
