import { Failure } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import type { Location } from '../locations/location.ts'
import type { ReadOptions, RestorableSource, RestoreOutcome, Source } from '../sources/source.ts'
import { compareTarget } from './compare-target.ts'
import { artifactKey } from './keys.ts'
import { mongodbArtifacts } from './manifest-artifact.ts'
import { isDamaged } from './proof.ts'
import type { RestorePlan } from './restore-plan.ts'
import { intoOf } from './restore-selection.ts'
import type { UnpackOptions } from './unpack.ts'
import { openArtifact } from './unpack.ts'
import { verifyBackup, whatIsWrong } from './verify.ts'

/**
 * Proves every artifact by reading it whole: nothing of the target is touched before that. The proof does not make the
 * second reading safe, so the restore itself compares again and fails if the location gave something else.
 */
export async function proveBeforeRestore(
  location: Location,
  clusterName: string,
  backup: BackupSummary,
  sources: readonly Pick<Source, 'name' | 'inspect'>[],
  options: UnpackOptions,
): Promise<void> {
  const outcome = await verifyBackup(location, backup, { ...options, clusterName, level: 'decode', sources })
  const failed = outcome.checks.find((check) => !check.ok)
  if (!failed) return
  const verdict = isDamaged(outcome) ? 'is not restorable' : 'could not be proven'
  throw new Failure(`restoring ${backup.backupId}: it ${verdict}, nothing was changed: ${whatIsWrong(outcome)}`, {
    code: failed.failure?.code ?? 'damaged',
    hint: failed.failure?.hint ?? 'Choose another location or an older backup.',
  })
}

/** Puts back what the plan selects. The target is complete only when `proveTarget` has compared it. */
export async function putBack(
  location: Location,
  clusterName: string,
  plan: RestorePlan,
  source: RestorableSource,
  options: UnpackOptions,
): Promise<RestoreOutcome> {
  const { manifest, drop } = plan
  const outcomes: RestoreOutcome[] = []
  for (const artifact of mongodbArtifacts(manifest.artifacts)) {
    const key = artifactKey(clusterName, manifest.policy, manifest.backup_id, artifact.file)
    const unpacked = openArtifact(location, key, artifact, options)
    outcomes.push(await source.restore(unpacked.body, { ...options, drop, into: intoOf(plan) }))
    unpacked.prove()
  }
  const outcome = sum(outcomes)
  if (outcome.documents === plan.documents) return outcome
  throw new Failure(
    `restoring ${manifest.backup_id}: ${outcome.documents} documents were put back, the backup holds ${plan.documents}`,
    { code: 'damaged', hint: 'Run the restore again; the target is incomplete.' },
  )
}

/** Reads back from the target what was put there and compares it with the manifest; gives what is different and no fault. */
export async function proveTarget(
  plan: RestorePlan,
  source: Pick<RestorableSource, 'digest'>,
  { expiring }: RestoreOutcome,
  options: ReadOptions,
): Promise<readonly string[]> {
  const places = plan.collections.map(({ place }) => place)
  const found = await source.digest(places, options)
  return compareTarget(`restoring ${plan.manifest.backup_id}`, plan.collections, found, expiring).notes
}

function sum(outcomes: readonly RestoreOutcome[]): RestoreOutcome {
  return {
    databases: outcomes.flatMap((outcome) => outcome.databases),
    collections: outcomes.reduce((total, outcome) => total + outcome.collections, 0),
    documents: outcomes.reduce((total, outcome) => total + outcome.documents, 0),
    bytes: outcomes.reduce((total, outcome) => total + outcome.bytes, 0),
    indexes: outcomes.reduce((total, outcome) => total + outcome.indexes, 0),
    problems: outcomes.flatMap((outcome) => outcome.problems),
    expiring: outcomes.flatMap((outcome) => outcome.expiring),
  }
}
