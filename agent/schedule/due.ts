import type { ScheduleConfig } from '../config/config.ts'
import { DAY_MS, HOUR_MS } from '../core/units.ts'
import { longestGapMs } from './longest-gap.ts'
import { parseCron } from './parse-cron.ts'

type IntervalSchedule = Extract<ScheduleConfig, { kind: 'interval' }>

export interface Anchor {
  /**
   * Start of the newest backup. With more than one day between backups the days are counted from the day of this
   * backup; it is read from the locations, so the count survives a restart. Without it every day counts.
   */
  readonly newest?: Date | undefined
}

/** The first due time strictly after `after`; undefined when a cron expression never comes again. All in UTC. */
export function nextDue(schedule: ScheduleConfig, { after, newest }: Anchor & { after: Date }): Date | undefined {
  if (schedule.kind === 'cron') return parseCron(schedule.expression).nextRun(after) ?? undefined
  const days = dueDays(schedule, newest)
  const today = days.atOrBefore(dayOf(after))
  return times(schedule, [today, today + days.step]).find((time) => time > after)
}

/** The last due time at or before `at`. */
export function previousDue(schedule: ScheduleConfig, { at, newest }: Anchor & { at: Date }): Date | undefined {
  if (schedule.kind === 'cron') {
    // croner looks strictly before its reference.
    return parseCron(schedule.expression).previousRuns(1, new Date(at.getTime() + 1))[0]
  }
  const days = dueDays(schedule, newest)
  const today = days.atOrBefore(dayOf(at))
  return times(schedule, [today - days.step, today]).findLast((time) => time <= at)
}

/**
 * The most recent due time that passed without a backup: one that started at or after it. Without any backup nothing
 * was missed yet; the schedule then begins with its next due time.
 */
export function missed(schedule: ScheduleConfig, { newest, now }: Anchor & { now: Date }): Date | undefined {
  if (!newest) return undefined
  const due = previousDue(schedule, { at: now, newest })
  return due && due > newest ? due : undefined
}

/** More due times than this are not counted: a clock that jumped by years must not keep the scheduler busy. */
const MOST_COUNTED = 1000

/** How many due times lie after `after`, up to and including `until`; at most 1000. */
export function countDue(
  schedule: ScheduleConfig,
  { after, until, newest }: Anchor & { after: Date; until: Date },
): number {
  let count = 0
  let due = nextDue(schedule, { after, newest })
  while (due && due <= until && count < MOST_COUNTED) {
    count += 1
    due = nextDue(schedule, { after: due, newest })
  }
  return count
}

/** The longest time in milliseconds that passes between two due times, seen from `from` on. */
export function expectedIntervalMs(schedule: ScheduleConfig, { from }: { from: Date }): number {
  if (schedule.kind === 'interval') {
    const hours = schedule.hoursOfDay.toSorted((a, b) => a - b)
    const first = hours.at(0) ?? 0
    const last = hours.at(-1) ?? 0
    const overNight = schedule.intervalDays * DAY_MS - (last - first) * HOUR_MS
    return Math.max(overNight, ...hours.slice(1).map((hour, index) => (hour - (hours[index] ?? hour)) * HOUR_MS))
  }
  return longestGapMs(schedule.expression, from)
}

interface DueDays {
  readonly step: number
  /** Days since 1970-01-01. */
  atOrBefore(day: number): number
}

function dueDays({ intervalDays }: IntervalSchedule, newest: Date | undefined): DueDays {
  if (!newest) return { step: 1, atOrBefore: (day) => day }
  const anchor = dayOf(newest)
  // Counted in both directions: a backup that a wrong clock dated into the future must not stop the schedule.
  return { step: intervalDays, atOrBefore: (day) => anchor + Math.floor((day - anchor) / intervalDays) * intervalDays }
}

function times({ hoursOfDay }: IntervalSchedule, days: readonly number[]): Date[] {
  const hours = hoursOfDay.toSorted((a, b) => a - b)
  return days.flatMap((day) => hours.map((hour) => new Date(day * DAY_MS + hour * HOUR_MS)))
}

function dayOf(time: Date): number {
  return Math.floor(time.getTime() / DAY_MS)
}
