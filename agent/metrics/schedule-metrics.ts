import type { Registry } from 'prom-client'
import type { Sample } from './declare.ts'
import { declareCounter, declareGauge, toSeconds } from './declare.ts'
import type { ScheduleFacts } from './metrics.ts'
import type { RunStatistics } from './run-statistics.ts'

export interface ScheduleSources {
  readonly runs: RunStatistics
  readonly schedule: ScheduleFacts
}

export function declareScheduleMetrics(registry: Registry, { runs, schedule }: ScheduleSources): void {
  const perPolicy = (value: (policy: string) => number): Sample[] =>
    [...runs.policies()].map(([policy]) => [{ policy }, value(policy)])

  declareGauge(registry, {
    name: 'next_run_timestamp_seconds',
    help: 'When the policy is due next, in seconds since 1970. 0: its schedule never comes again.',
    labels: ['policy'],
    read: () => perPolicy((policy) => toSeconds(schedule.nextRun(policy))),
  })
  declareGauge(registry, {
    name: 'expected_interval_seconds',
    help: 'The longest time that passes between two due times of the policy. Compare the age of the newest backup with it.',
    labels: ['policy'],
    read: () => perPolicy((policy) => schedule.expectedIntervalMs(policy) / 1000),
  })
  declareGauge(registry, {
    name: 'retry_timestamp_seconds',
    help: 'When the failed run of the policy is tried again, before it is due next, in seconds since 1970. 0: nothing is to be tried again.',
    labels: ['policy'],
    read: () => perPolicy((policy) => toSeconds(schedule.retryAt(policy))),
  })
  declareCounter(registry, {
    name: 'scheduler_clock_jumps_total',
    help: 'How often the wall clock was set, or the machine slept, for more than a minute since the agent started.',
    read: () => [[{}, schedule.clockJumps()]],
  })
  declareGauge(registry, {
    name: 'scheduler_last_tick_timestamp_seconds',
    help: 'When the scheduler last looked at the clock, in seconds since 1970. It does so at least every 30 seconds.',
    read: () => [[{}, toSeconds(schedule.lastTick())]],
  })
}
