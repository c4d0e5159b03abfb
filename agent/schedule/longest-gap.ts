import { DAY_MS, HOUR_MS } from '../core/units.ts'
import { parseCron } from './parse-cron.ts'

/** Days looked through where the day of the month or the month is restricted: more than a year of every second day. */
const DATES_LOOKED_AT = 400
/** Where only the day of the week is, a week and a day tell everything. */
const WEEK_AND_A_DAY = 8
/** No farther: two 29ths of February lie in it, and what comes in a century delays no start of the agent. */
const HORIZON_MS = 9 * 366 * DAY_MS

/**
 * The longest time in milliseconds that passes between two due times of a cron expression; 0 where there are not two.
 * Minutes and hours are the same on every day that is due, so they are looked at apart from the days: due time by due
 * time, a hundred policies would take seconds.
 */
export function longestGapMs(expression: string, from: Date): number {
  const [minute = '', hour = '', ...date] = expression.trim().split(/\s+/)
  const minutes = offsets(`${minute} * * * *`, HOUR_MS)
  const times = offsets(`0 ${hour} * * *`, DAY_MS).flatMap((start) => minutes.map((offset) => start + offset))
  const dayGap = longestDayGapMs(date, from)
  if (dayGap === 0) return 0
  const [first = 0] = times
  return Math.max(longestStep(times), dayGap - ((times.at(-1) ?? 0) - first))
}

function longestDayGapMs([dayOfMonth = '*', month = '*', dayOfWeek = '*']: readonly string[], from: Date): number {
  const isEvery = (field: string): boolean => field === '*' || field === '?'
  const onlyWeekdays = isEvery(dayOfMonth) && isEvery(month)
  if (onlyWeekdays && isEvery(dayOfWeek)) return DAY_MS
  const count = onlyWeekdays ? WEEK_AND_A_DAY : DATES_LOOKED_AT
  const cron = parseCron(`0 0 ${dayOfMonth} ${month} ${dayOfWeek}`)
  const days: number[] = []
  let day = cron.nextRun(from)
  while (day && days.length < count && day.getTime() - from.getTime() < HORIZON_MS) {
    days.push(day.getTime())
    day = cron.nextRun(day)
  }
  return longestStep(days)
}

/** Due times of the first hour or day there is, as milliseconds from its beginning. */
function offsets(expression: string, periodMs: number): number[] {
  const cron = parseCron(expression)
  const found: number[] = []
  let due = cron.nextRun(new Date(-1))
  while (due && due.getTime() < periodMs) {
    found.push(due.getTime())
    due = cron.nextRun(due)
  }
  return found
}

function longestStep(times: readonly number[]): number {
  return Math.max(0, ...times.slice(1).map((time, index) => time - (times[index] ?? time)))
}
