import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../agent/core/units.ts'
import { begin, clock, due, newest, policy, scheduler, schedulerAt, useScheduler } from './scheduler-world.ts'

useScheduler()

describe('the scheduler', () => {
  it('says each due time once, at its time', async () => {
    begin(policy('nightly'))
    await clock.advance(2 * HOUR_MS - 1)
    expect(due).toEqual([])
    await clock.advance(1)
    expect(due).toEqual(['nightly 2026-11-24T02:00'])
    await clock.advance(2 * DAY_MS)
    expect(due).toEqual(['nightly 2026-11-24T02:00', 'nightly 2026-11-25T02:00', 'nightly 2026-11-26T02:00'])
  })

  it('handles several policies, cron among them', async () => {
    begin(policy('nightly'), policy('often', { kind: 'cron', expression: '30 */8 * * *' }))
    await clock.advance(9 * HOUR_MS)
    expect(due).toEqual(['often 2026-11-24T00:30', 'nightly 2026-11-24T02:00', 'often 2026-11-24T08:30'])
  })

  it('is not due at the moment it starts, even if that is a due time', async () => {
    schedulerAt('2026-11-24T02:00:00Z')
    begin(policy('nightly'))
    await clock.advance(HOUR_MS)
    expect(due).toEqual([])
  })

  it('makes one run of all due times that a suspended machine slept through', async () => {
    begin(policy('nightly'))
    await clock.advance(MINUTE_MS)
    clock.jump(4 * DAY_MS)
    await clock.advance(30 * SECOND_MS)
    expect(due).toEqual(['nightly 2026-11-27T02:00'])
    await clock.advance(3 * HOUR_MS)
    expect(due).toEqual(['nightly 2026-11-27T02:00', 'nightly 2026-11-28T02:00'])
  })

  it('notices a clock that is set forwards within 30 seconds', async () => {
    begin(policy('nightly'))
    await clock.advance(MINUTE_MS)
    clock.jump(2 * HOUR_MS)
    await clock.advance(30 * SECOND_MS)
    expect(due).toEqual(['nightly 2026-11-24T02:00'])
  })

  it('does not repeat a due time when the clock is set back', async () => {
    begin(policy('nightly'))
    await clock.advance(2 * HOUR_MS + MINUTE_MS)
    clock.jump(-HOUR_MS)
    expect(scheduler.nextRun('nightly')?.toISOString()).toBe('2026-11-25T02:00:00.000Z')
    await clock.advance(2 * HOUR_MS)
    expect(due).toEqual(['nightly 2026-11-24T02:00'])
    await clock.advance(DAY_MS)
    expect(due).toEqual(['nightly 2026-11-24T02:00', 'nightly 2026-11-25T02:00'])
  })

  it('goes on after a clock that was a year ahead is put right', async () => {
    begin(policy('nightly'))
    await clock.advance(MINUTE_MS)
    clock.jump(365 * DAY_MS + 2 * HOUR_MS)
    await clock.advance(MINUTE_MS)
    clock.jump(-365 * DAY_MS)
    await clock.advance(DAY_MS)
    expect(due).toEqual(['nightly 2027-11-24T02:00', 'nightly 2026-11-25T02:00'])
  })

  it('counts days from the newest backup', async () => {
    newest.set('rare', new Date('2026-11-23T02:00:01Z'))
    begin(policy('rare', { kind: 'interval', intervalDays: 3, hoursOfDay: [2] }))
    expect(scheduler.nextRun('rare')?.toISOString()).toBe('2026-11-26T02:00:00.000Z')
    await clock.advance(7 * DAY_MS)
    expect(due).toEqual(['rare 2026-11-26T02:00', 'rare 2026-11-29T02:00'])
  })

  it('tells when it last looked, and goes stale when it is not running', async () => {
    expect(scheduler.lastTick).toBeUndefined()
    expect(scheduler.msSinceTick).toBe(Number.POSITIVE_INFINITY)
    begin(policy('nightly'))
    await clock.advance(29 * SECOND_MS)
    expect(scheduler.lastTick?.toISOString()).toBe('2026-11-24T00:00:00.000Z')
    expect(scheduler.msSinceTick).toBe(29 * SECOND_MS)
    await clock.advance(SECOND_MS)
    expect(scheduler.msSinceTick).toBe(0)
    await scheduler.stop()
    await clock.advance(HOUR_MS)
    expect(scheduler.msSinceTick).toBe(HOUR_MS)
    expect(due).toEqual([])
  })

  it('says nothing more once stopped', async () => {
    newest.set('nightly', new Date('2026-11-20T02:00:00Z'))
    begin(policy('nightly'))
    await scheduler.stop()
    await clock.advance(3 * DAY_MS)
    scheduler.catchUp('nightly')
    expect(due).toEqual([])
  })
})

describe('an update', () => {
  it('keeps unchanged policies, ends removed ones, begins new ones', async () => {
    begin(policy('a'), policy('b'))
    await clock.advance(HOUR_MS)
    scheduler.update([policy('a'), policy('c')])
    await clock.advance(2 * HOUR_MS)
    expect(due).toEqual(['a 2026-11-24T02:00', 'c 2026-11-24T02:00'])
    expect(scheduler.nextRun('b')).toBeUndefined()
  })

  it('does not lose a due time that passes at the moment of the update', async () => {
    begin(policy('a'))
    await clock.advance(HOUR_MS)
    clock.jump(2 * HOUR_MS)
    scheduler.update([policy('a')])
    await clock.advance(1)
    expect(due).toEqual(['a 2026-11-24T02:00'])
  })

  it('never makes a changed policy due for the past', async () => {
    begin(policy('a'))
    await clock.advance(10 * HOUR_MS)
    scheduler.update([policy('a', { kind: 'interval', intervalDays: 1, hoursOfDay: [8, 12] })])
    await clock.advance(HOUR_MS)
    expect(due).toEqual(['a 2026-11-24T02:00'])
    await clock.advance(2 * HOUR_MS)
    expect(due).toEqual(['a 2026-11-24T02:00', 'a 2026-11-24T12:00'])
  })

  it('wakes the scheduler for something that is due sooner', async () => {
    begin(policy('a', { kind: 'cron', expression: '0 0 1 1 *' }))
    await clock.advance(SECOND_MS)
    scheduler.update([policy('a', { kind: 'cron', expression: '1 0 * * *' })])
    await clock.advance(59 * SECOND_MS)
    expect(due).toEqual(['a 2026-11-24T00:01'])
  })
})

describe('a failed run', () => {
  const end = (failed: boolean) => scheduler.runEnded('nightly', { failed })

  it('is tried again after 5 minutes, then ever later, until the policy is due anyway', async () => {
    begin(policy('nightly'))
    await clock.advance(2 * HOUR_MS)
    const times: string[] = []
    for (let run = 0; run < 7; run += 1) {
      end(true)
      const at = scheduler.retryAt('nightly')
      if (!at) break
      times.push(at.toISOString().slice(11, 16))
      await clock.advance(at.getTime() - clock.now().getTime())
    }
    expect(times).toEqual(['02:05', '02:20', '03:05', '05:20', '09:20', '13:20', '17:20'])
    expect(due.slice(0, 3)).toEqual([
      'nightly 2026-11-24T02:00',
      'nightly 2026-11-24T02:05 retry',
      'nightly 2026-11-24T02:20 retry',
    ])
    await clock.advance(4 * HOUR_MS + 50 * MINUTE_MS)
    end(true)
    expect(scheduler.retryAt('nightly')).toBeUndefined()
  })

  it('is not tried again once one got through', async () => {
    begin(policy('nightly'))
    end(true)
    end(false)
    expect(scheduler.retryAt('nightly')).toBeUndefined()
    await clock.advance(HOUR_MS)
    expect(due).toEqual([])
    end(true)
    expect(scheduler.retryAt('nightly')).toEqual(new Date('2026-11-24T01:05:00Z'))
  })

  it('is tried again when so much time has passed, whatever is done to the clock', async () => {
    begin(policy('nightly'))
    await clock.advance(SECOND_MS)
    end(true)
    clock.jump(-2 * DAY_MS)
    await clock.advance(5 * MINUTE_MS)
    expect(due).toEqual(['nightly 2026-11-22T00:05 retry'])
  })

  it('is due only once when its retry and its due time meet in a sleep', async () => {
    begin(policy('nightly'))
    await clock.advance(HOUR_MS)
    end(true)
    clock.jump(3 * HOUR_MS)
    await clock.advance(10 * MINUTE_MS)
    expect(due).toEqual(['nightly 2026-11-24T02:00'])
  })

  it('is forgotten with its policy', async () => {
    begin(policy('nightly'))
    end(true)
    scheduler.update([])
    scheduler.update([policy('nightly')])
    await clock.advance(HOUR_MS)
    expect(due).toEqual([])
  })
})
