import { isGood } from '../core/events.ts'
import { DAY_MS, formatDuration } from '../core/units.ts'
import type { CalendarUnit } from './calendar.ts'
import { CALENDAR_UNITS, periodOf } from './calendar.ts'

export interface StoredBackup {
  readonly backupId: string
  readonly startedAt: Date
  /** A `partial` backup never counts as a good one. */
  readonly complete: boolean
  readonly pinned?: boolean
  readonly verified?: boolean
  /** Found not restorable: it never counts as a good one either. */
  readonly damaged?: boolean
  /** Not whole, or not readable, when it was looked at: it stands for nothing, and stays until somebody verifies it. */
  readonly suspect?: boolean
}

export interface RetentionRule {
  readonly retentionDays: number
  readonly keepMinimum: number
  readonly keep?: { readonly [Unit in CalendarUnit | 'last']?: number | undefined }
}

export interface RetentionDecision {
  readonly backupId: string
  readonly keep: boolean
  /** Why, as a phrase for the operator. */
  readonly reason: string
}

export interface RetentionFacts {
  readonly now: Date
  /** Backups that a restore or a verification reads at this moment. */
  readonly inUse?: ReadonlySet<string>
  /** Backups that a restore which is not finished is to be finished from or rolled back to. */
  readonly needed?: ReadonlySet<string>
}

/**
 * Decides what to keep of one policy's backups in one location, newest first, with a reason for each.
 *
 * Always kept: what is pinned, in use, or needed by an unfinished restore, the newest complete one, and the newest verified one. Beyond these: everything
 * younger than the retention period, the newest `keepMinimum` complete ones however old, and what `keep` asks for.
 * Partial and damaged backups older than that are deleted only while a complete, newer one is kept. A backup from the future is
 * kept and stands for nothing: the clock was wrong when it was made, or is wrong now.
 */
export function decideRetention(
  backups: readonly StoredBackup[],
  rule: RetentionRule,
  { now, inUse = new Set(), needed = new Set() }: RetentionFacts,
): RetentionDecision[] {
  const { newestFirst, good, newestVerified } = standing(backups, now)
  const reasons = [
    (backup: StoredBackup) => (backup.pinned ? 'pinned' : undefined),
    ({ suspect }: StoredBackup) => (suspect ? 'not whole when it was looked at' : undefined),
    ({ backupId }: StoredBackup) => (inUse.has(backupId) ? 'being read by a restore or a verification' : undefined),
    ({ backupId }: StoredBackup) => (needed.has(backupId) ? 'needed by a restore that is not finished' : undefined),
    ({ startedAt }: StoredBackup) => (startedAt > now ? 'from the future: a clock was or is wrong' : undefined),
    only(good[0], 'the newest complete one'),
    only(newestVerified, 'the newest verified one'),
    youngerThan(rule.retentionDays, now),
    ...keepReasons(good, rule),
    nothingBetter(good),
  ]
  return newestFirst.map((backup) => {
    for (const reasonOf of reasons) {
      const reason = reasonOf(backup)
      if (reason !== undefined) return { backupId: backup.backupId, keep: true, reason }
    }
    const partial = backup.damaged ? 'damaged, ' : backup.complete ? '' : 'partial, '
    return { backupId: backup.backupId, keep: false, reason: `${partial}older than ${days(rule.retentionDays)}` }
  })
}

/**
 * The good ones because of which others may go: that they are whole is to be known before anything is deleted. A
 * rule counts them, and so each that turns out not to be whole brings up another.
 */
export function reliedOn(backups: readonly StoredBackup[], rule: RetentionRule, now: Date): readonly string[] {
  const { good, newestVerified } = standing(backups, now)
  const reasons = [only(good[0], 'newest'), only(newestVerified, 'verified'), ...keepReasons(good, rule)]
  const counted = backups.filter((backup) => reasons.some((reasonOf) => reasonOf(backup) !== undefined))
  return counted.map(({ backupId }) => backupId)
}

function standing(backups: readonly StoredBackup[], now: Date) {
  const newestFirst = backups.toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime() || compareIds(a, b))
  const good = newestFirst.filter((backup) => isGood(backup) && !backup.suspect && backup.startedAt <= now)
  const newestVerified = newestFirst.find(
    ({ verified, damaged, suspect, startedAt }) => verified && !damaged && !suspect && startedAt <= now,
  )
  return { newestFirst, good, newestVerified }
}

/** Few may always go at once; of many backups a third. */
const ALWAYS_ALLOWED = 3
const ALLOWED_SHARE = 1 / 3

/**
 * Why so many deletions at once are refused; undefined when they are not. Retention that keeps pace deletes a few; more
 * at once mean a clock that is wrong, or a rule that somebody made much stricter.
 */
export function tooManyDeletions(decisions: readonly RetentionDecision[]): string | undefined {
  const doomed = decisions.filter(({ keep }) => !keep).length
  const allowed = Math.max(ALWAYS_ALLOWED, Math.floor(decisions.length * ALLOWED_SHARE))
  if (doomed <= allowed) return undefined
  return `${doomed} of ${decisions.length} backups would be deleted at once, at most ${allowed} are`
}

type ReasonOf = (backup: StoredBackup) => string | undefined

function compareIds(a: StoredBackup, b: StoredBackup): number {
  return a.backupId < b.backupId ? 1 : -1
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`
}

function only(chosen: StoredBackup | undefined, reason: string): ReasonOf {
  return (backup) => (backup === chosen ? reason : undefined)
}

function youngerThan(period: number, now: Date): ReasonOf {
  return ({ startedAt }) => {
    const ageMs = now.getTime() - startedAt.getTime()
    return ageMs <= period * DAY_MS ? `${formatDuration(ageMs)} old, kept for ${days(period)}` : undefined
  }
}

function amongNewest(good: readonly StoredBackup[], count: number, what: string): ReasonOf {
  return (backup) => {
    const rank = good.indexOf(backup) + 1
    return rank > 0 && rank <= count ? `number ${rank} of ${what}` : undefined
  }
}

function keepReasons(good: readonly StoredBackup[], { keepMinimum, keep = {} }: RetentionRule): ReasonOf[] {
  const reasons = [amongNewest(good, keepMinimum, `the newest ${keepMinimum} complete ones`)]
  if (keep.last) reasons.push(amongNewest(good, keep.last, `the last ${keep.last}`))
  for (const unit of CALENDAR_UNITS) {
    const count = keep[unit]
    if (count) reasons.push(newestOfPeriods(good, unit, count))
  }
  return reasons
}

/** Counted in periods that have a backup: a pause in the runs makes nothing go sooner. */
function newestOfPeriods(good: readonly StoredBackup[], unit: CalendarUnit, count: number): ReasonOf {
  const chosen = new Map<string, StoredBackup>()
  for (const backup of good) {
    const period = periodOf(unit, backup.startedAt)
    if (!chosen.has(period) && chosen.size < count) chosen.set(period, backup)
  }
  const periods = new Map([...chosen].map(([period, backup]) => [backup, period]))
  return (backup) => {
    const period = periods.get(backup)
    return period && `the newest of ${period}, ${unit} ${[...chosen.keys()].indexOf(period) + 1} of ${count}`
  }
}

function nothingBetter(good: readonly StoredBackup[]): ReasonOf {
  const newest = good[0]
  return ({ complete, damaged, startedAt }) => {
    if ((complete && !damaged) || (newest && newest.startedAt >= startedAt)) return undefined
    return `${damaged ? 'damaged' : 'partial'}, but nothing complete is newer`
  }
}
