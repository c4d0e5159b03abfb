import { afterEach, beforeEach, expect } from 'vitest'
import type { PolicyConfig, ScheduleConfig } from '../../agent/config/config.ts'
import { Scheduler } from '../../agent/schedule/scheduler.ts'
import { testPolicy } from '../runs/test-config.ts'
import { FakeClock } from '../support/fake-clock.ts'

export let clock: FakeClock
export let scheduler: Scheduler
export let newest: Map<string, Date>
export let due: string[]
export let notMade: string[]
export let jumps: number[]

export function policy(
  name: string,
  schedule: ScheduleConfig = { kind: 'interval', intervalDays: 1, hoursOfDay: [2] },
) {
  return testPolicy({ name, schedule })
}

function createScheduler(): Scheduler {
  return new Scheduler({
    clock,
    newest: (name) => newest.get(name),
    onDue: ({ name }, at, why) =>
      due.push(`${name} ${at.toISOString().slice(0, 16)}${why === 'schedule' ? '' : ` ${why}`}`),
    onMissed: ({ name }, at, count) => notMade.push(`${name} ${at.toISOString().slice(0, 16)} ${count}`),
    onJump: (jumpMs) => jumps.push(jumpMs),
  })
}

/** Begins with another clock. */
export function schedulerAt(time: string): void {
  clock = new FakeClock(time)
  scheduler = createScheduler()
}

export function begin(...policies: PolicyConfig[]): void {
  scheduler.update(policies)
  scheduler.start()
}

/** A clock at midnight and a scheduler, new for each test of the file that calls it; what it says is kept. */
export function useScheduler(): void {
  beforeEach(() => {
    newest = new Map()
    due = []
    notMade = []
    jumps = []
    schedulerAt('2026-11-24T00:00:00Z')
  })

  afterEach(async () => {
    await scheduler.stop()
    expect(clock.sleepers).toBe(0)
  })
}
