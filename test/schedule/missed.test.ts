import { describe, expect, it } from 'vitest'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../agent/core/units.ts'
import { begin, clock, due, jumps, newest, notMade, policy, scheduler, useScheduler } from './scheduler-world.ts'

useScheduler()

describe('catching up', () => {
  it('runs a policy whose due time passed without a backup, once', async () => {
    newest.set('nightly', new Date('2026-11-22T02:00:01Z'))
    begin(policy('nightly'))
    scheduler.catchUp('nightly')
    scheduler.catchUp('nightly')
    await clock.advance(HOUR_MS)
    expect(due).toEqual(['nightly 2026-11-23T02:00 catch-up'])
  })

  it('does nothing when the newest backup is not older than the last due time', () => {
    newest.set('nightly', new Date('2026-11-23T02:00:01Z'))
    begin(policy('nightly'))
    scheduler.catchUp('nightly')
    expect(due).toEqual([])
  })

  it('does nothing where there never was a backup', () => {
    begin(policy('nightly'))
    scheduler.catchUp('nightly')
    expect(due).toEqual([])
  })

  it('does not run a policy twice for a due time that passed since the start', async () => {
    newest.set('nightly', new Date('2026-11-22T02:00:01Z'))
    begin(policy('nightly'))
    await clock.advance(3 * HOUR_MS)
    scheduler.catchUp('nightly')
    expect(due).toEqual(['nightly 2026-11-24T02:00'])
  })

  it('leaves alone what a reload added or changed', () => {
    newest.set('nightly', new Date('2026-11-20T02:00:01Z'))
    newest.set('added', new Date('2026-11-20T02:00:01Z'))
    begin(policy('nightly'))
    scheduler.update([policy('nightly', { kind: 'cron', expression: '0 3 * * *' }), policy('added')])
    scheduler.catchUp('nightly')
    scheduler.catchUp('added')
    expect(due).toEqual([])
  })
})

describe('due times without a run of their own', () => {
  it('are told, with how many there were', async () => {
    begin(policy('nightly'))
    await clock.advance(MINUTE_MS)
    clock.jump(4 * DAY_MS)
    await clock.advance(30 * SECOND_MS)
    expect(due).toEqual(['nightly 2026-11-27T02:00'])
    expect(notMade).toEqual(['nightly 2026-11-27T02:00 3'])
    expect(jumps).toEqual([4 * DAY_MS])
    expect(scheduler.clockJumps).toBe(1)
  })

  it('are not made up where the policy does not want it', async () => {
    newest.set('nightly', new Date('2026-11-22T02:00:01Z'))
    begin({ ...policy('nightly'), catchUp: false })
    scheduler.catchUp('nightly')
    expect(notMade).toEqual(['nightly 2026-11-23T02:00 1'])
    clock.jump(8 * HOUR_MS)
    await clock.advance(MINUTE_MS)
    expect(due).toEqual([])
    expect(notMade).toEqual(['nightly 2026-11-23T02:00 1', 'nightly 2026-11-24T02:00 1'])
    await clock.advance(DAY_MS)
    expect(due).toEqual(['nightly 2026-11-25T02:00'])
  })

  it('are counted up to a limit when the clock jumps by years', async () => {
    begin(policy('often', { kind: 'cron', expression: '* * * * *' }))
    await clock.advance(MINUTE_MS)
    clock.jump(3650 * DAY_MS)
    await clock.advance(30 * SECOND_MS)
    expect(notMade).toEqual(['often 2036-11-21T00:01 999'])
  })

  it('do not come of clocks that drift a little', async () => {
    begin(policy('nightly'))
    clock.jump(59 * SECOND_MS)
    await clock.advance(MINUTE_MS)
    expect(jumps).toEqual([])
  })
})
