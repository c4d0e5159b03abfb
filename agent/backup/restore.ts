import { Failure } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import type { Location } from '../locations/location.ts'
import type { RestorableSource, RestoreOptions, RestoreOutcome, Source } from '../sources/source.ts'
import { readManifest } from './catalog.ts'
import { artifactKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import { mongodbArtifacts } from './manifest-artifact.ts'
import type { UnpackOptions } from './verify.ts'
import { openArtifact, verifyBackup } from './verify.ts'

export interface RestorePlan {
  readonly manifest: Manifest
  /** What is dropped and put back. */
  readonly databases: readonly string[]
  readonly collections: number
  readonly documents: number
  readonly bytes: number
}

/** What a restore of the backup would do; rejects when a database is asked for that the backup does not hold. */
export async function planRestore(
  location: Location,
  clusterName: string,
  backup: BackupSummary,
  options: Pick<RestoreOptions, 'signal' | 'databases'>,
): Promise<RestorePlan> {
  const manifest = await readManifest(location, { clusterName }, backup, options)
  const held = mongodbArtifacts(manifest.artifacts).flatMap(({ mongodb }) => mongodb.databases)
  const databases = options.databases ?? held
  const unknown = databases.filter((name) => !held.includes(name))
  if (unknown.length > 0) {
    throw new Failure(`restoring ${backup.backupId}: it holds no database named ${unknown.join(', ')}`, {
      code: 'not_found',
      hint: `It holds ${held.join(', ')}.`,
    })
  }
  const collections = mongodbArtifacts(manifest.artifacts)
    .flatMap(({ mongodb }) => mongodb.collections)
    .filter((collection) => databases.includes(collection.database))
  return {
    manifest,
    databases,
    collections: collections.length,
    documents: collections.reduce((sum, collection) => sum + collection.documents, 0),
    bytes: collections.reduce((sum, collection) => sum + collection.bytes, 0),
  }
}

/**
 * Proves every artifact by reading it whole: nothing of the target is touched before that. The proof does not make the
 * second reading safe, so the restore itself compares again and fails if the location gave something else.
 */
export async function proveBeforeRestore(
  location: Location,
  clusterName: string,
  backup: BackupSummary,
  sources: readonly Pick<Source, 'name' | 'inspect'>[],
  options: RestoreOptions & UnpackOptions,
): Promise<void> {
  const outcome = await verifyBackup(location, backup, { ...options, clusterName, level: 'decode', sources })
  const failed = outcome.checks.find((check) => !check.ok)
  if (!failed) return
  throw new Failure(
    `restoring ${backup.backupId}: it is not restorable, nothing was changed: ${failed.failure?.message}`,
    {
      code: failed.failure?.code ?? 'damaged',
      hint: 'Choose another location or an older backup.',
    },
  )
}

export async function restoreBackup(
  location: Location,
  clusterName: string,
  plan: RestorePlan,
  source: RestorableSource,
  options: RestoreOptions & UnpackOptions,
): Promise<RestoreOutcome> {
  const { manifest } = plan
  const outcomes: RestoreOutcome[] = []
  for (const artifact of mongodbArtifacts(manifest.artifacts)) {
    const key = artifactKey(clusterName, manifest.policy, manifest.backup_id, artifact.file)
    const unpacked = openArtifact(location, key, artifact, options)
    outcomes.push(await source.restore(unpacked.body, { ...options, databases: plan.databases }))
    unpacked.prove()
  }
  const outcome = sum(outcomes)
  if (outcome.documents !== plan.documents) {
    throw new Failure(
      `restoring ${manifest.backup_id}: ${outcome.documents} documents were put back, the backup holds ${plan.documents}`,
      { code: 'damaged', hint: 'Run the restore again; the target is incomplete.' },
    )
  }
  return outcome
}

function sum(outcomes: readonly RestoreOutcome[]): RestoreOutcome {
  return {
    databases: outcomes.flatMap((outcome) => outcome.databases),
    collections: outcomes.reduce((total, outcome) => total + outcome.collections, 0),
    documents: outcomes.reduce((total, outcome) => total + outcome.documents, 0),
    bytes: outcomes.reduce((total, outcome) => total + outcome.bytes, 0),
    indexes: outcomes.reduce((total, outcome) => total + outcome.indexes, 0),
    problems: outcomes.flatMap((outcome) => outcome.problems),
  }
}
