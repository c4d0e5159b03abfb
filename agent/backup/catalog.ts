import { Failure } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import type { CallOptions, Entry, Location } from '../locations/location.ts'
import { backupIdTime } from './backup-id.ts'
import { manifestKey, parseKey, policyPrefix } from './keys.ts'
import type { Manifest } from './manifest.ts'
import { decodeManifest, LARGEST_MANIFEST_BYTES } from './manifest.ts'

export interface PolicyRef {
  readonly clusterName: string
  readonly policy: string
}

/**
 * Every backup of a policy in a location, newest first: those whose manifest is there, and whether something beside it
 * says that it is pinned, verified or damaged. One listing, nothing opened.
 */
export async function readCatalog(location: Location, ref: PolicyRef, options: CallOptions): Promise<BackupSummary[]> {
  const prefix = policyPrefix(ref.clusterName, ref.policy)
  return catalogOf(location, ref, await location.list(prefix, { ...options, shallow: true }))
}

/** The same from a listing of the policy's folder. */
export function catalogOf(
  location: Pick<Location, 'name'>,
  { clusterName, policy }: PolicyRef,
  entries: readonly Pick<Entry, 'key'>[],
): BackupSummary[] {
  const prefix = policyPrefix(clusterName, policy)
  const meanings = entries.flatMap(({ key }) => parseKey(prefix, key) ?? [])
  const named = (kind: 'pin' | 'verified' | 'damaged'): ReadonlySet<string> =>
    new Set(meanings.flatMap((meaning) => (meaning.kind === kind ? [meaning.backupId] : [])))
  const pinned = named('pin')
  const verified = named('verified')
  const damaged = named('damaged')
  const backups: BackupSummary[] = []
  for (const meaning of meanings) {
    if (meaning.kind !== 'manifest') continue
    const { backupId, complete } = meaning
    const startedAt = backupIdTime(backupId)?.toISOString() ?? ''
    backups.push({
      backupId,
      policy,
      location: location.name,
      startedAt,
      complete,
      ...(pinned.has(backupId) ? { pinned: true } : {}),
      // What was found wrong outweighs what was proven, whichever came first.
      ...(verified.has(backupId) && !damaged.has(backupId) ? { verified: true } : {}),
      ...(damaged.has(backupId) ? { damaged: true } : {}),
    })
  }
  return backups.sort((a, b) => (a.backupId < b.backupId ? 1 : -1))
}

/** Reads and checks the manifest of one backup. */
export async function readManifest(
  location: Location,
  ref: Pick<PolicyRef, 'clusterName'>,
  backup: ManifestRef,
  options: CallOptions,
): Promise<Manifest> {
  return (await fetchManifest(location, ref, backup, options))()
}

type ManifestRef = Pick<BackupSummary, 'backupId' | 'policy' | 'complete'>

/** The same in two steps: what fails first is the location, and then the manifest. */
export async function fetchManifest(
  location: Location,
  { clusterName }: Pick<PolicyRef, 'clusterName'>,
  backup: ManifestRef,
  options: CallOptions,
): Promise<() => Manifest> {
  const key = manifestKey(clusterName, backup.policy, backup.backupId, backup.complete)
  const where = `${key} in ${location.name}`
  const bytes = await readBounded(location, key, options)
  return () => {
    if (!bytes) throw tooLarge(where)
    const manifest = decodeManifest(bytes, where)
    checkPlace(manifest, clusterName, backup, where)
    return manifest
  }
}

/** A manifest says whose it is: one that somebody moved must not be taken for another. */
function checkPlace(manifest: Manifest, clusterName: string, { backupId, policy }: ManifestRef, where: string): void {
  if (manifest.backup_id !== backupId || manifest.policy !== policy) {
    throw new Failure(
      `reading the manifest ${where}: it belongs to backup ${manifest.backup_id} of ${manifest.policy}`,
      { code: 'damaged' },
    )
  }
  if (manifest.cluster_name === clusterName) return
  throw new Failure(
    `reading the manifest ${where}: it is a backup of ${manifest.cluster_name}, not of ${clusterName}`,
    {
      code: 'refused',
      hint: `Somebody moved it here. If it is meant, use a configuration whose cluster_name is ${manifest.cluster_name}, and a folder of that name.`,
    },
  )
}

/** A small object whole; `damaged` when it is larger than any manifest. */
export async function readSmall(location: Location, key: string, options: CallOptions): Promise<Uint8Array> {
  const bytes = await readBounded(location, key, options)
  if (bytes) return bytes
  throw tooLarge(`${key} in ${location.name}`)
}

/** Undefined when it is larger than any manifest. */
async function readBounded(location: Location, key: string, options: CallOptions): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of location.get(key, options)) {
    size += chunk.length
    if (size > LARGEST_MANIFEST_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(where: string): Failure {
  return new Failure(`reading ${where}: larger than any manifest`, { code: 'damaged' })
}
