import type { FailureData } from '../core/errors.ts'
import { failureData, toFailure } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import type { Location } from '../locations/location.ts'
import { readManifest } from './catalog.ts'
import { artifactKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import type { ManifestArtifact } from './manifest-artifact.ts'
import { mongodbArtifacts } from './manifest-artifact.ts'
import { type ProveOptions, proveArtifact } from './prove-artifact.ts'
import type { VerifyLevel } from './verify-level.ts'

export interface VerifyCheck {
  readonly level: VerifyLevel
  readonly file: string
  readonly ok: boolean
  readonly failure?: FailureData
}

export interface VerifyOutcome {
  readonly backupId: string
  readonly policy: string
  readonly location: string
  readonly level: VerifyLevel
  readonly ok: boolean
  readonly checks: readonly VerifyCheck[]
  readonly documents: number
}

export interface VerifyOptions extends ProveOptions {
  readonly clusterName: string
  readonly level: VerifyLevel
}

/** Each level reads the artifact; these leave out what a later one proves on its way. */
const CHECKS: Readonly<Record<VerifyLevel, readonly VerifyLevel[]>> = {
  stored: ['stored'],
  content: ['stored', 'content'],
  decode: ['stored', 'decode'],
  restore: ['stored', 'decode', 'restore'],
}

/**
 * Proves one backup up to the wanted level; the outcome lists every check, and stops at the first failed one of a file.
 * Only a file of the wrong size is read all the same, because that tells which collections are affected.
 */
export async function verifyBackup(
  location: Location,
  backup: BackupSummary,
  options: VerifyOptions,
): Promise<VerifyOutcome> {
  const { backupId, policy } = backup
  const of = { backupId, policy, location: location.name, level: options.level }
  const manifest = await readManifest(location, options, backup, options).catch((thrown: unknown) => {
    // One that is not there any more belongs to a backup that was deleted meanwhile.
    if (options.signal.aborted || toFailure(thrown).code === 'not_found') throw thrown
    return failed('stored', 'manifest', thrown)
  })
  if ('ok' in manifest) return { ...of, ok: false, checks: [manifest], documents: 0 }
  const checks: VerifyCheck[] = []
  for (const artifact of manifest.artifacts) {
    for (const level of CHECKS[options.level]) {
      const check = await runCheck(level, location, manifest, artifact, options)
      // Whom an artifact is for stands in its bytes: if they have changed, that tells nothing about the identity.
      if (level === 'decode' && check.failure?.code === 'auth' && artifact.encryption) {
        const content = await runCheck('content', location, manifest, artifact, options)
        checks.push(content)
        if (!content.ok) break
      }
      checks.push(check)
      if (!check.ok && !(check.level === 'stored' && check.failure?.code === 'damaged')) break
    }
  }
  const ok = checks.every((check) => check.ok)
  const documents = mongodbArtifacts(manifest.artifacts)
    .flatMap(({ mongodb }) => mongodb.collections)
    .reduce((sum, collection) => sum + collection.documents, 0)
  return { ...of, ok, checks, documents }
}

/** What is wrong with a backup: everything that its checks have found. */
export function whatIsWrong({ checks }: Pick<VerifyOutcome, 'checks'>): string {
  return checks.flatMap(({ failure }) => failure?.message ?? []).join('; ')
}

async function runCheck(
  level: VerifyLevel,
  location: Location,
  manifest: Manifest,
  artifact: ManifestArtifact,
  options: VerifyOptions,
): Promise<VerifyCheck> {
  const { file } = artifact
  try {
    const key = artifactKey(options.clusterName, manifest.policy, manifest.backup_id, file)
    await proveArtifact(level, location, key, artifact, options)
    return { level, file, ok: true }
  } catch (thrown) {
    if (options.signal.aborted) throw thrown
    return failed(level, file, thrown)
  }
}

function failed(level: VerifyLevel, file: string, thrown: unknown): VerifyCheck & { readonly ok: false } {
  return { level, file, ok: false, failure: failureData(toFailure(thrown, `verifying ${file}`)) }
}
