import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../agent/core/units.ts'
import { expectedIntervalMs, missed, nextDue, previousDue } from '../../agent/schedule/due.ts'
import { parseCron } from '../../agent/schedule/parse-cron.ts'
import { iso, optional, schedule, utc } from './due-text.ts'

describe('nextDue', () => {
  it.each([
    // schedule, after, newest, expected
    ['every 1 at 2', '2026-11-24 00:00', '', '2026-11-24 02:00'],
    ['every 1 at 2', '2026-11-24 01:59:59.999', '', '2026-11-24 02:00'],
    ['every 1 at 2', '2026-11-24 02:00', '', '2026-11-25 02:00'],
    ['every 1 at 2', '2026-11-24 23:59', '', '2026-11-25 02:00'],
    ['every 1 at 0', '2026-11-24 23:59', '', '2026-11-25 00:00'],
    ['every 1 at 23', '2026-12-31 23:00', '', '2027-01-01 23:00'],
    ['every 1 at 2', '2026-11-24 10:00', '2026-11-20 02:00', '2026-11-25 02:00'],
    ['every 1 at 2,14', '2026-11-24 02:00', '', '2026-11-24 14:00'],
    ['every 1 at 14,2', '2026-11-24 02:00', '', '2026-11-24 14:00'],
    ['every 1 at 2,14', '2026-11-24 14:00', '', '2026-11-25 02:00'],
    ['every 1 at 0,6,12,18', '2026-02-28 18:00', '', '2026-03-01 00:00'],
    ['every 1 at 2', '2028-02-28 02:00', '', '2028-02-29 02:00'],
    ['every 1 at 2', '2028-02-29 02:00', '', '2028-03-01 02:00'],
    ['every 1 at 2', '2027-02-28 02:00', '', '2027-03-01 02:00'],
    // No backup yet: the next such hour of any day.
    ['every 7 at 2', '2026-11-24 10:00', '', '2026-11-25 02:00'],
    ['every 30 at 23', '2026-11-24 10:00', '', '2026-11-24 23:00'],
    // Days are counted from the day of the newest backup.
    ['every 3 at 2', '2026-11-24 02:00:05', '2026-11-24 02:00:03', '2026-11-27 02:00'],
    ['every 3 at 2', '2026-11-26 10:00', '2026-11-24 02:00:03', '2026-11-27 02:00'],
    ['every 3 at 2', '2026-11-27 02:00', '2026-11-24 02:00:03', '2026-11-30 02:00'],
    ['every 3 at 2', '2026-11-30 02:00', '2026-11-24 02:00:03', '2026-12-03 02:00'],
    ['every 7 at 2', '2026-12-29 02:00', '2026-12-29 02:00:01', '2027-01-05 02:00'],
    ['every 5 at 2', '2028-02-27 03:00', '2028-02-26 02:00', '2028-03-02 02:00'],
    ['every 5 at 2', '2027-02-27 03:00', '2027-02-26 02:00', '2027-03-03 02:00'],
    ['every 31 at 0', '2026-01-31 00:00', '2026-01-31 00:00', '2026-03-03 00:00'],
    ['every 2 at 2,14', '2026-11-24 02:00:05', '2026-11-24 02:00:03', '2026-11-24 14:00'],
    ['every 2 at 2,14', '2026-11-24 14:00:05', '2026-11-24 14:00:03', '2026-11-26 02:00'],
    ['every 2 at 2,14', '2026-11-25 09:00', '2026-11-24 02:00:03', '2026-11-26 02:00'],
    // A late or on-demand backup moves the days.
    ['every 3 at 2', '2026-11-25 17:00', '2026-11-25 16:59', '2026-11-28 02:00'],
    // A backup dated into the future by a wrong clock.
    ['every 3 at 2', '2026-11-24 10:00', '2099-01-01 02:00', '2026-11-26 02:00'],
    // cron
    ['0 2 * * *', '2026-11-24 02:00', '', '2026-11-25 02:00'],
    ['0 2 * * *', '2026-11-24 01:59:59.999', '', '2026-11-24 02:00'],
    ['*/15 * * * *', '2026-11-24 23:50', '', '2026-11-25 00:00'],
    ['30 1 31 * *', '2026-11-24 10:00', '', '2026-12-31 01:30'],
    ['30 1 31 * *', '2026-03-31 01:30', '', '2026-05-31 01:30'],
    ['0 0 29 2 *', '2026-11-24 10:00', '', '2028-02-29 00:00'],
    ['0 3 * * 0', '2026-11-24 10:00', '', '2026-11-29 03:00'],
    ['0 3 * * 1-5', '2026-11-27 10:00', '', '2026-11-30 03:00'],
    ['0 2 30 2 *', '2026-11-24 10:00', '', 'never'],
    // Hours that local time skips or repeats in Europe and America are hours like others.
    ['30 2 * * *', '2026-03-28 12:00', '', '2026-03-29 02:30'],
    ['every 1 at 1', '2026-10-25 00:30', '', '2026-10-25 01:00'],
    ['0 2 * * *', '2026-11-24 10:00', '2026-11-24 09:00', '2026-11-25 02:00'],
  ])('%s, after %s, newest %s: %s', (text, after, newest, expected) => {
    expect(iso(nextDue(schedule(text), { after: utc(after), newest: optional(newest) }))).toBe(expected)
  })
})

describe('previousDue', () => {
  it.each([
    ['every 1 at 2', '2026-11-24 02:00', '', '2026-11-24 02:00'],
    ['every 1 at 2', '2026-11-24 01:59:59.999', '', '2026-11-23 02:00'],
    ['every 1 at 2,14', '2026-11-24 13:00', '', '2026-11-24 02:00'],
    ['every 1 at 2,14', '2026-03-01 01:00', '', '2026-02-28 14:00'],
    ['every 7 at 2', '2026-11-30 10:00', '2026-11-17 02:00:01', '2026-11-24 02:00'],
    ['every 7 at 2', '2026-12-01 01:00', '2026-11-17 02:00:01', '2026-11-24 02:00'],
    ['0 2 * * *', '2026-11-24 02:00', '', '2026-11-24 02:00'],
    ['0 2 * * *', '2026-11-24 02:00:00.500', '', '2026-11-24 02:00'],
    ['0 2 * * *', '2026-11-24 01:59:59.999', '', '2026-11-23 02:00'],
    ['0 0 29 2 *', '2027-01-01 00:00', '', '2024-02-29 00:00'],
    ['0 2 30 2 *', '2026-11-24 10:00', '', 'never'],
  ])('%s, at %s, newest %s: %s', (text, at, newest, expected) => {
    expect(iso(previousDue(schedule(text), { at: utc(at), newest: optional(newest) }))).toBe(expected)
  })
})

describe('missed', () => {
  it.each([
    // schedule, newest, now, expected
    ['every 1 at 2', '', '2026-11-24 10:00', 'never'],
    ['every 1 at 2', '2026-11-24 02:00', '2026-11-24 10:00', 'never'],
    ['every 1 at 2', '2026-11-24 02:00:01', '2026-11-24 10:00', 'never'],
    ['every 1 at 2', '2026-11-24 01:59:59', '2026-11-24 10:00', '2026-11-24 02:00'],
    ['every 1 at 2', '2026-11-23 02:00:01', '2026-11-24 10:00', '2026-11-24 02:00'],
    ['every 1 at 2', '2026-11-01 02:00:01', '2026-11-24 10:00', '2026-11-24 02:00'],
    ['every 1 at 2', '2026-11-23 02:00:01', '2026-11-24 01:59', 'never'],
    ['every 1 at 2,14', '2026-11-24 02:00:01', '2026-11-24 15:00', '2026-11-24 14:00'],
    ['every 3 at 2', '2026-11-24 02:00:01', '2026-11-26 23:00', 'never'],
    ['every 3 at 2', '2026-11-24 02:00:01', '2026-11-27 02:00', '2026-11-27 02:00'],
    ['every 3 at 2', '2026-11-24 02:00:01', '2026-11-29 12:00', '2026-11-27 02:00'],
    ['every 7 at 2', '2028-02-25 02:00:01', '2028-03-03 12:00', '2028-03-03 02:00'],
    ['every 1 at 2', '2099-01-01 02:00', '2026-11-24 10:00', 'never'],
    ['0 2 * * *', '2026-11-23 02:00:01', '2026-11-24 10:00', '2026-11-24 02:00'],
    ['0 2 * * *', '2026-11-24 02:00', '2026-11-24 10:00', 'never'],
    ['0 3 * * 0', '2026-11-15 03:00:01', '2026-11-24 10:00', '2026-11-22 03:00'],
    ['0 2 30 2 *', '2026-11-15 03:00:01', '2026-11-24 10:00', 'never'],
  ])('%s, newest %s, now %s: %s', (text, newest, now, expected) => {
    expect(iso(missed(schedule(text), { newest: optional(newest), now: utc(now) }))).toBe(expected)
  })
})

describe('expectedIntervalMs', () => {
  it.each([
    ['every 1 at 2', DAY_MS],
    ['every 7 at 2', 7 * DAY_MS],
    ['every 1 at 2,14', 12 * HOUR_MS],
    ['every 1 at 14,2,3', 12 * HOUR_MS],
    ['every 1 at 2,3,20', 17 * HOUR_MS],
    ['every 2 at 2,14', 36 * HOUR_MS],
    ['0 2 * * *', DAY_MS],
    ['*/5 * * * *', 5 * MINUTE_MS],
    ['0 3 * * 1-5', 3 * DAY_MS],
    ['0 8-18 * * 1-5', 62 * HOUR_MS],
    ['0 0 1 * *', 31 * DAY_MS],
    ['* 9-17 * * 1-5', 2 * DAY_MS + 15 * HOUR_MS + MINUTE_MS],
    ['5,50 */6 * * *', 5 * HOUR_MS + 15 * MINUTE_MS],
    ['30 3 * * SUN', 7 * DAY_MS],
    ['0 0 1 1 *', 366 * DAY_MS],
    ['0 0 29 2 *', 1461 * DAY_MS],
    ['0 3 * 1 MON', 343 * DAY_MS],
    ['15 4 1,15 * *', 17 * DAY_MS],
    ['0 2 30 2 *', 0],
  ])('%s: %d ms', (text, expected) => {
    expect(expectedIntervalMs(schedule(text), { from: utc('2026-11-24 10:00') })).toBe(expected)
  })
})

it('finds the longest gap of any cron expression as looking at each due time does', () => {
  const list = (max: number) => fc.uniqueArray(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 3 }).map(String)
  const part = (max: number) =>
    fc.oneof(
      fc.constant('*'),
      fc.integer({ min: 1, max: 9 }).map((n) => `*/${n}`),
      list(max),
    )
  const week = fc.constantFrom('*', '1-5', '0', '2,4')
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 59 }), part(23), week, (minute, hour, weekday) => {
      const expression = `${minute} ${hour} * * ${weekday}`
      const from = utc('2026-11-24 10:00')
      const runs = parseCron(expression).nextRuns(24 * 9, from)
      const gaps = runs.slice(1).map((run, index) => run.getTime() - (runs[index]?.getTime() ?? 0))
      expect(expectedIntervalMs(schedule(expression), { from })).toBe(Math.max(...gaps))
    }),
    { numRuns: 60 },
  )
})

describe('parseCron', () => {
  it.each(['5/20 * * * *', '0 25 * * *', '61 2 * * *'])('refuses "%s"', (expression) => {
    expect(() => parseCron(expression)).toThrow(/CronPattern/)
  })

  it.each(['', 'daily', '@daily x x x x', '0 2 * *', '0 2 * * * *', '2026-12-01T00:00:00Z'])(
    'refuses "%s", which has no five parts',
    (expression) => {
      expect(() => parseCron(expression)).toThrow('a cron expression has five parts')
    },
  )
})

describe('any interval schedule', () => {
  const instant = fc.date({ min: utc('2000-01-01 00:00'), max: utc('2060-01-01 00:00'), noInvalidDate: true })
  const intervals = fc.record({
    kind: fc.constant('interval' as const),
    intervalDays: fc.integer({ min: 1, max: 400 }),
    hoursOfDay: fc.uniqueArray(fc.integer({ min: 0, max: 23 }), { minLength: 1, maxLength: 6 }),
  })

  it('is due next at one of its hours, within its interval, with nothing due in between', () => {
    fc.assert(
      fc.property(intervals, instant, fc.option(instant, { nil: undefined }), (any, after, newest) => {
        const next = nextDue(any, { after, newest })
        if (!next) throw new Error('never due')
        expect(next > after).toBe(true)
        expect(next.getTime() - after.getTime()).toBeLessThanOrEqual(any.intervalDays * DAY_MS)
        expect(any.hoursOfDay).toContain(next.getUTCHours())
        expect(next.getTime() % HOUR_MS).toBe(0)
        const before = previousDue(any, { at: new Date(next.getTime() - 1), newest })
        expect(before && before <= after).toBe(true)
        expect(previousDue(any, { at: next, newest })).toEqual(next)
      }),
    )
  })
})
