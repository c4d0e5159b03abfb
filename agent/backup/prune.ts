import { toFailure } from '../core/errors.ts'
import type { BackupSummary, Emit } from '../core/events.ts'
import type { Location } from '../locations/location.ts'
import type { PolicyRef } from './catalog.ts'
import { readCatalog, readManifest } from './catalog.ts'
import { deleteBackup } from './delete-backup.ts'
import type { RetentionDecision, RetentionRule } from './retention.ts'
import { decideRetention } from './retention.ts'

export interface PruneOptions extends PolicyRef {
  readonly rule: RetentionRule
  readonly now: Date
  readonly runId: string
  readonly emit: Emit
  readonly signal: AbortSignal
  /** Decide and delete nothing. */
  readonly dryRun?: boolean
}

export interface PruneOutcome {
  readonly location: string
  readonly decisions: readonly RetentionDecision[]
  readonly deleted: readonly string[]
  /** Backups that should be gone and are not, as sentences. */
  readonly problems: readonly string[]
}

/**
 * Applies a policy's retention to one location. A backup whose manifest cannot be read is left alone: what this
 * program does not understand it does not delete.
 */
export async function prune(location: Location, options: PruneOptions): Promise<PruneOutcome> {
  const catalog = await readCatalog(location, options, options)
  const stored = catalog.map((backup) => ({ ...backup, startedAt: new Date(backup.startedAt) }))
  const decisions = decideRetention(stored, options.rule, options.now)
  const doomed = new Set(decisions.filter((decision) => !decision.keep).map((decision) => decision.backupId))
  const deleted: string[] = []
  const problems: string[] = []
  if (options.dryRun) return { location: location.name, decisions, deleted, problems }
  for (const backup of catalog) {
    if (!doomed.has(backup.backupId)) continue
    try {
      await remove(location, backup, options)
      deleted.push(backup.backupId)
    } catch (thrown) {
      problems.push(toFailure(thrown, `deleting backup ${backup.backupId} in ${location.name}`).message)
    }
  }
  return { location: location.name, decisions, deleted, problems }
}

async function remove(location: Location, backup: BackupSummary, options: PruneOptions): Promise<void> {
  await readManifest(location, options, backup, options)
  await deleteBackup(location, options.clusterName, backup, options)
  const { policy, runId, emit } = options
  emit({ type: 'backup.deleted', runId, policy, location: location.name, backupId: backup.backupId })
}
