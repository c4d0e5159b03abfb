import { expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../agent/core/units.ts'
import { schedule } from './due-text.ts'
import { begin, clock, due, newest, notMade, policy, schedulerAt, useScheduler } from './scheduler-world.ts'

useScheduler()

const UNITS: Readonly<Record<string, number>> = { d: DAY_MS, h: HOUR_MS, m: MINUTE_MS, s: SECOND_MS, ms: 1 }

/** `wait 2h` lets time pass; `set +2h` and `set -2d` move the wall clock alone, as an administrator or a sleep does. */
async function play(steps: string): Promise<void> {
  for (const step of steps.split(', ')) {
    const [, verb, sign, count, unit = ''] = /^(wait|set) ([+-]?)(\d+)(d|h|m|s|ms)$/.exec(step) ?? []
    const ms = Number(count) * (UNITS[unit] ?? Number.NaN)
    if (verb === 'wait') await clock.advance(ms)
    else clock.jump(sign === '-' ? -ms : ms)
  }
}

/** All begin 2026-11-24 01:00 with a newest backup of the day before, 02:00:01. A star marks a policy without catch_up. */
it.each([
  // schedule, what happens, due times acted on, due times given up with their count
  ['every 1 at 2', 'wait 59m, wait 59s, wait 999ms', [], []],
  ['every 1 at 2', 'wait 1h', ['11-24 02:00'], []],
  ['every 1 at 2', 'wait 1h, set -1ms, wait 1ms, wait 1m', ['11-24 02:00'], []],
  ['every 1 at 2', 'wait 2h, set -2h, wait 2h, wait 2h', ['11-24 02:00'], []],
  ['every 1 at 2', 'wait 2h, set -2h, wait 2h, set -2h, wait 2h', ['11-24 02:00'], []],
  ['every 1 at 2', 'wait 2h, set -2d, wait 2d, wait 1h', ['11-24 02:00', '11-23 02:00'], []],
  ['every 1 at 2', 'set +1h, wait 30s', ['11-24 02:00'], []],
  ['every 1 at 2', 'set +1h, wait 30s, set -1h, wait 2h', ['11-24 02:00'], []],
  ['every 1 at 2', 'set +23h, wait 30s', ['11-24 02:00'], []],
  ['every 1 at 2', 'set +25h, wait 30s', ['11-25 02:00'], ['11-25 02:00 1']],
  ['every 1 at 2', 'set +400d, wait 30s', ['12-28 02:00'], ['12-28 02:00 399']],
  ['every 1 at 2', 'set +400d, wait 30s, set -400d, wait 2h', ['12-28 02:00', '11-24 02:00'], ['12-28 02:00 399']],
  ['every 1 at 2', 'set -2d, wait 1d', ['11-22 02:00'], []],
  ['every 1 at 2,14', 'wait 1h, set +12h, wait 30s', ['11-24 02:00', '11-24 14:00'], []],
  ['every 1 at 2,14', 'set +14h, wait 30s', ['11-24 14:00'], ['11-24 14:00 1']],
  ['every 7 at 2', 'wait 5d', [], []],
  ['every 7 at 2', 'wait 5d, set +1d, wait 2h', ['11-30 02:00'], []],
  ['every 7 at 2', 'set +30d, wait 30s', ['12-21 02:00'], ['12-21 02:00 3']],
  ['0 2 * * *', 'wait 2h, set -1h, wait 2h', ['11-24 02:00'], []],
  ['*/30 * * * *', 'wait 30m, set -30m, wait 1h', ['11-24 01:30', '11-24 02:00'], []],
  ['*/30 * * * *', 'wait 10m, set +1h, wait 30s', ['11-24 02:00'], ['11-24 02:00 1']],
  ['*every 1 at 2', 'wait 1h', ['11-24 02:00'], []],
  ['*every 1 at 2', 'wait 59m, set +9m, wait 30s', ['11-24 02:00'], []],
  ['*every 1 at 2', 'wait 59m, set +12m, wait 30s', [], ['11-24 02:00 1']],
  ['*every 1 at 2', 'set +23h, wait 30s, wait 2h', ['11-25 02:00'], ['11-24 02:00 1']],
  ['*every 1 at 2', 'set +400d, wait 30s', [], ['12-28 02:00 400']],
  ['*0 2 * * *', 'set +5h, wait 1d', ['11-25 02:00'], ['11-24 02:00 1']],
])('%s: %s', async (text, steps, acted, givenUp) => {
  schedulerAt('2026-11-24T01:00:00Z')
  newest.set('p', new Date('2026-11-23T02:00:01Z'))
  begin({ ...policy('p', schedule(text.replace(/^\*(?=every|0)/, ''))), catchUp: !/^\*(every|0)/.test(text) })
  // The scheduler has looked at its clock before anything happens to it.
  await clock.advance(0)
  await play(steps)
  const short = (line: string): string => line.replace(/^p \d{4}-/, '').replace('T', ' ')
  expect(due.map(short)).toEqual(acted)
  expect(notMade.map(short)).toEqual(givenUp)
})
