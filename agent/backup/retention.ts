import { DAY_MS, formatDuration } from '../core/units.ts'

export interface StoredBackup {
  readonly backupId: string
  readonly startedAt: Date
  /** A `partial` backup never counts as a good one. */
  readonly complete: boolean
}

export interface RetentionRule {
  readonly retentionDays: number
  readonly keepMinimum: number
}

export interface RetentionDecision {
  readonly backupId: string
  readonly keep: boolean
  /** Why, as a phrase for the operator. */
  readonly reason: string
}

/**
 * Decides what to keep of one policy's backups in one location, newest first, with a reason for each.
 * Kept: everything younger than the retention period, and the newest `keepMinimum` complete ones however old.
 * Partial backups older than that are deleted only while a complete, newer one is kept.
 */
export function decideRetention(backups: readonly StoredBackup[], rule: RetentionRule, now: Date): RetentionDecision[] {
  const newestFirst = [...backups].sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
  let completeSeen = 0
  return newestFirst.map((backup) => {
    if (backup.complete) completeSeen += 1
    const age = now.getTime() - backup.startedAt.getTime()
    if (age <= rule.retentionDays * DAY_MS) {
      return keep(
        backup,
        age < 0 ? 'from the future' : `${formatDuration(age)} old, kept for ${rule.retentionDays} days`,
      )
    }
    if (backup.complete && completeSeen <= rule.keepMinimum) {
      return keep(backup, `number ${completeSeen} of the newest ${rule.keepMinimum} complete ones`)
    }
    if (!backup.complete && completeSeen === 0) return keep(backup, 'partial, but nothing complete is newer')
    return { backupId: backup.backupId, keep: false, reason: `older than ${rule.retentionDays} days` }
  })
}

function keep(backup: StoredBackup, reason: string): RetentionDecision {
  return { backupId: backup.backupId, keep: true, reason }
}
