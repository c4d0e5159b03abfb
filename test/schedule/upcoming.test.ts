import fc from 'fast-check'
import { expect, it } from 'vitest'
import { nextDue } from '../../agent/schedule/due.ts'
import { Upcoming } from '../../agent/schedule/upcoming.ts'
import { schedule, utc } from './due-text.ts'

it('says what nextDue says, whatever is asked before, also by a clock that was set back', () => {
  const instant = fc.date({ min: utc('2026-01-01 00:00'), max: utc('2027-01-01 00:00'), noInvalidDate: true })
  const near = fc.integer({ min: -3, max: 30 }).map((hours) => hours * 3_600_000)
  const asked = fc.array(fc.tuple(near, fc.option(instant, { nil: undefined })), { minLength: 2, maxLength: 12 })
  const text = fc.constantFrom('every 3 at 2,14', 'every 1 at 0', '0 */6 * * *', '30 3 * * SUN', '0 2 30 2 *')
  fc.assert(
    fc.property(text, instant, asked, (expression, start, steps) => {
      const upcoming = new Upcoming(schedule(expression))
      let now = start
      let newest: Date | undefined
      for (const [stepMs, other] of steps) {
        now = new Date(now.getTime() + stepMs)
        newest = other ?? newest
        expect(upcoming.after(now, newest)).toEqual(nextDue(schedule(expression), { after: now, newest }))
      }
    }),
  )
})
