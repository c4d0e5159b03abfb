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

/** Proves one backup up to the wanted level; the outcome lists every check, and stops at the first failed one of a file. */
export async function verifyBackup(
  location: Location,
  backup: BackupSummary,
  options: VerifyOptions,
): Promise<VerifyOutcome> {
  const manifest = await readManifest(location, options, backup, options)
  const checks: VerifyCheck[] = []
  for (const artifact of manifest.artifacts) {
    for (const level of CHECKS[options.level]) {
      const check = await runCheck(level, location, manifest, artifact, options)
      checks.push(check)
      if (!check.ok) break
    }
  }
  const ok = checks.every((check) => check.ok)
  const documents = mongodbArtifacts(manifest.artifacts)
    .flatMap(({ mongodb }) => mongodb.collections)
    .reduce((sum, collection) => sum + collection.documents, 0)
  const { backupId, policy } = backup
  return { backupId, policy, location: location.name, level: options.level, ok, checks, documents }
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
    return { level, file, ok: false, failure: failureData(toFailure(thrown, `verifying ${file}`)) }
  }
}
