import { DAY_MS } from '../core/units.ts'

export const CALENDAR_UNITS = ['daily', 'weekly', 'monthly', 'yearly'] as const
export type CalendarUnit = (typeof CALENDAR_UNITS)[number]

/** The day, ISO week, month or year (UTC) that an instant lies in: `2026-11-24`, `2026-W48`, `2026-11`, `2026`. */
export function periodOf(unit: CalendarUnit, at: Date): string {
  const day = at.toISOString().slice(0, 10)
  switch (unit) {
    case 'daily':
      return day
    case 'weekly':
      return isoWeek(at)
    case 'monthly':
      return day.slice(0, 7)
    case 'yearly':
      return day.slice(0, 4)
  }
}

/** ISO 8601: weeks begin on Monday, and a week belongs to the year that its Thursday lies in. */
function isoWeek(at: Date): string {
  const dayNumber = Math.floor(at.getTime() / DAY_MS)
  // 1970-01-01 was a Thursday.
  const weekday = (((dayNumber + 3) % 7) + 7) % 7
  const thursday = dayNumber - weekday + 3
  const year = new Date(thursday * DAY_MS).getUTCFullYear()
  const firstDay = Date.UTC(year, 0, 1) / DAY_MS
  const week = Math.floor((thursday - firstDay) / 7) + 1
  return `${year}-W${String(week).padStart(2, '0')}`
}
