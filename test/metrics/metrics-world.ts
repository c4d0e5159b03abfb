import { beforeEach } from 'vitest'
import type { BackupSummary, RunEvent } from '../../agent/core/events.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import type { Metrics } from '../../agent/metrics/metrics.ts'
import { createMetrics } from '../../agent/metrics/metrics.ts'
import { FakeClock } from '../support/fake-clock.ts'

export const START = '2026-11-24T00:00:00Z'
const POLICIES = [
  { name: 'nightly', backupLocations: ['offsite', 'nas'] },
  { name: 'weekly', backupLocations: ['nas'] },
]
export const CONFIG = { digest: 'aa11', policies: POLICIES, locations: [{ name: 'offsite' }, { name: 'nas' }] }

export let clock: FakeClock
export let metrics: Metrics

/** New metrics and a new clock before each test of the file that calls it. */
export function useMetrics(): void {
  beforeEach(() => {
    clock = new FakeClock(START)
    metrics = createMetrics({
      clock,
      version: '1.2.3',
      schedule: {
        nextRun: (policy) => (policy === 'nightly' ? new Date('2026-11-24T02:00:00Z') : undefined),
        expectedIntervalMs: () => DAY_MS,
        lastTick: () => new Date(START),
        retryAt: (policy) => (policy === 'weekly' ? new Date('2026-11-24T00:05:00Z') : undefined),
        clockJumps: () => 2,
      },
    })
    metrics.onApplied(CONFIG)
  })
}

/** The samples of our own metrics, without the prefix. */
export async function samples(): Promise<Map<string, number>> {
  const { text } = await metrics.render()
  const lines = text.split('\n').filter((line) => line.startsWith('palette_backup_'))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice('palette_backup_'.length, space), Number(line.slice(space + 1))]
    }),
  )
}

export async function sample(series: string): Promise<number | undefined> {
  return (await samples()).get(series)
}

/** The series of a metric that are not 0. */
export function counted(now: ReadonlyMap<string, number>, name: string): string[] {
  return [...now].filter(([series, value]) => series.startsWith(`${name}{`) && value !== 0).map(([series]) => series)
}

export const seconds = (iso: string): number => new Date(iso).getTime() / 1000

export const started: RunEvent = { type: 'run.started', runId: 'r1', kind: 'backup', policy: 'nightly', at: START }

export function finished(
  result: 'success' | 'partial' | 'failed' | 'cancelled',
  code?: 'internal' | 'cancelled',
): RunEvent {
  const failure = code ? { failure: { code, message: 'secret text' } } : {}
  const facts = { at: START, durationMs: 90_000, sourceBytes: 1000, storedBytes: 300 }
  return { type: 'run.finished', runId: 'r1', kind: 'backup', policy: 'nightly', result, ...facts, ...failure }
}

export function stored(location: string, startedAt = '2026-11-24T02:00:00Z', complete = true): RunEvent {
  const backup = { backupId: `id-${startedAt}`, startedAt, complete, storedBytes: 300 }
  return { type: 'location.stored', runId: 'r1', policy: 'nightly', location, ...backup }
}

export function failed(location: string, stage: string, code: 'unreachable' | 'cancelled' = 'unreachable'): RunEvent {
  const failure = { code, message: 'secret text' }
  return { type: 'location.failed', runId: 'r1', policy: 'nightly', location, stage, failure }
}

export function catalog(
  location: string,
  ...backups: readonly (readonly [startedAt: string, complete: boolean])[]
): RunEvent {
  const list = backups.map(([startedAt, complete]): BackupSummary => {
    return { backupId: `id-${startedAt}`, policy: 'nightly', location, startedAt, complete }
  })
  return { type: 'catalog.read', runId: 'c1', policy: 'nightly', location, backups: list }
}

export function tell(...events: RunEvent[]): void {
  for (const event of events) metrics.onEvent(event)
}
