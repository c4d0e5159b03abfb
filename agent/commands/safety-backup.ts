import { runBackup } from '../backup/run-backup.ts'
import { SAFETY_POLICY, type UnfinishedRestore } from '../backup/unfinished-restore.ts'
import type { PolicyConfig } from '../config/config.ts'
import { Failure } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { Secret } from '../core/secret.ts'
import type { Location } from '../locations/location.ts'
import type { TargetFacts } from '../sources/source.ts'
import type { CommandContext } from './context.ts'
import { createRunId } from './execute-backup.ts'
import type { OpenedInstallation } from './open-installation.ts'
import { openMongodb } from './open-sources.ts'
import { isDead, thisOwner } from './owner.ts'

export interface SafetyOptions {
  readonly clusterName: string
  readonly policy: PolicyConfig
  readonly location: Location
  readonly target: TargetFacts
  /** Opens what it packs for others, so that it can be proven restorable. */
  readonly identity?: Secret
  readonly installed: OpenedInstallation
  readonly emit: Emit
}

/** Backs up what the restore is about to replace, packed and kept as the policy says; undefined when there is nothing. */
export async function makeSafetyBackup(
  { clusterName, policy, location, target, installed, identity, emit }: SafetyOptions,
  context: CommandContext,
): Promise<UnfinishedRestore['safety']> {
  const filled = target.databases.filter(({ collections }) => collections > 0).map(({ name }) => name)
  if (filled.length === 0) return undefined
  const { clock, signal, toolVersion } = context
  const safety: PolicyConfig = {
    ...policy,
    name: SAFETY_POLICY,
    backupLocations: [location.name],
    includeDatabases: filled,
    // It must be restorable too; with encryption that can be told only where the identity is.
    verifyAfterBackup: policy.encryption && !identity ? 'content' : 'decode',
  }
  const runId = createRunId()
  const outcome = await runBackup({
    runId,
    clusterName,
    policy: safety,
    purpose: 'safety',
    target: target.host,
    sources: [openMongodb(safety, installed.installation.mongodb, { toolVersion, clock })],
    proving: identity ? { identity } : {},
    locations: [location],
    owner: thisOwner(),
    isDead: (record) => record.run_id !== runId && isDead(record, clock),
    toolVersion,
    clock,
    emit,
    signal,
  })
  if (outcome.stored.length > 0) return { backup_id: outcome.backupId, complete: outcome.result === 'success' }
  const why = outcome.failure?.message ?? outcome.failed[0]?.failure.message ?? 'it was not stored'
  throw new Failure(`making a safety backup of the target: ${why}. Nothing was changed`, {
    code: outcome.failure?.code ?? 'unavailable',
    hint: 'Restore with --no-safety-backup only if what the target holds now is worth nothing.',
  })
}
