import { describe, expect, it } from 'vitest'
import type { RunEvent } from '../../agent/core/events.ts'
import { HOUR_MS, MINUTE_MS } from '../../agent/core/units.ts'
import {
  catalog,
  clock,
  counted,
  failed,
  finished,
  metrics,
  START,
  sample,
  samples,
  seconds,
  started,
  stored,
  tell,
  useMetrics,
} from './metrics-world.ts'

useMetrics()

describe('a backup', () => {
  it('that succeeds', async () => {
    tell(started)
    expect(await sample('running{policy="nightly"}')).toBe(1)
    await clock.advance(2 * HOUR_MS + MINUTE_MS)
    tell(stored('offsite'), stored('nas'), finished('success'))
    const now = await samples()
    expect(now.get('running{policy="nightly"}')).toBe(0)
    expect(now.get('runs_total{policy="nightly",result="success"}')).toBe(1)
    expect(now.get('run_duration_seconds{policy="nightly"}')).toBe(90)
    expect(now.get('run_source_bytes{policy="nightly"}')).toBe(1000)
    for (const location of ['offsite', 'nas']) {
      const labels = `{policy="nightly",location="${location}"}`
      expect(now.get(`last_success_timestamp_seconds${labels}`)).toBe(seconds('2026-11-24T02:00:00Z'))
      expect(now.get(`last_success_age_seconds${labels}`)).toBe(60)
      expect(now.get(`stored_bytes${labels}`)).toBe(300)
      expect(now.get(`retained_backups${labels}`)).toBe(1)
      expect(now.get(`location_up{location="${location}"}`)).toBe(1)
    }
    expect(now.get('runs_total{policy="weekly",result="success"}')).toBe(0)
  })

  it('that one location fails leaves the other one good', async () => {
    await clock.advance(2 * HOUR_MS)
    tell(started, failed('nas', 'store'), stored('offsite'), finished('partial'))
    const now = await samples()
    expect(now.get('runs_total{policy="nightly",result="partial"}')).toBe(1)
    expect(now.get('failures_total{policy="nightly",stage="store",code="unreachable"}')).toBe(1)
    expect(now.get('last_failure_timestamp_seconds{policy="nightly",location="nas"}')).toBe(
      clock.now().getTime() / 1000,
    )
    expect(now.get('last_failure_timestamp_seconds{policy="nightly",location="offsite"}')).toBe(0)
    expect(now.get('last_success_timestamp_seconds{policy="nightly",location="nas"}')).toBe(0)
    expect(now.get('location_up{location="nas"}')).toBe(0)
    expect(now.get('location_up{location="offsite"}')).toBe(1)
  })

  it('whose source fails is no fault of the locations', async () => {
    tell(catalog('nas'), started, failed('nas', 'source'), failed('offsite', 'source'), finished('failed', 'internal'))
    const now = await samples()
    expect(now.get('location_up{location="nas"}')).toBe(1)
    expect(now.get('failures_total{policy="nightly",stage="source",code="unreachable"}')).toBe(2)
    expect(counted(now, 'failures_total')).toHaveLength(1)
    expect(now.get('last_failure_timestamp_seconds{policy="nightly",location="nas"}')).toBe(seconds(START))
  })

  it('whose process dies failed in every location', async () => {
    tell(started, { type: 'run.stage', runId: 'r1', stage: 'read' }, finished('failed', 'internal'))
    const now = await samples()
    expect(now.get('running{policy="nightly"}')).toBe(0)
    expect(now.get('runs_total{policy="nightly",result="failed"}')).toBe(1)
    expect(now.get('failures_total{policy="nightly",stage="read",code="internal"}')).toBe(1)
    expect(now.get('last_failure_timestamp_seconds{policy="nightly",location="nas"}')).toBe(seconds(START))
    expect(now.get('last_failure_timestamp_seconds{policy="nightly",location="offsite"}')).toBe(seconds(START))
    expect(now.get('last_failure_timestamp_seconds{policy="weekly",location="nas"}')).toBe(0)
  })

  it('that somebody stops is no failure', async () => {
    tell(started, failed('nas', 'store', 'cancelled'), finished('cancelled', 'cancelled'))
    const now = await samples()
    expect(now.get('runs_total{policy="nightly",result="cancelled"}')).toBe(1)
    expect(now.get('last_failure_timestamp_seconds{policy="nightly",location="nas"}')).toBe(0)
    expect(counted(now, 'failures_total')).toEqual([])
  })

  it('that is incomplete is retained, but no success', async () => {
    tell(started, stored('nas', '2026-11-23T02:00:00Z', false), finished('partial'))
    expect(await sample('retained_backups{policy="nightly",location="nas"}')).toBe(1)
    expect(await sample('last_success_timestamp_seconds{policy="nightly",location="nas"}')).toBe(0)
  })

  it('that was due too early is counted as skipped', async () => {
    metrics.onSkipped('nightly', 1)
    expect(await sample('runs_total{policy="nightly",result="skipped"}')).toBe(1)
  })

  it('with a stage nobody knows adds no label value of its own', async () => {
    tell(started, failed('nas', 'a stage with "quotes"'))
    expect(await sample('failures_total{policy="nightly",stage="other",code="unreachable"}')).toBe(1)
  })
})

describe('a run', () => {
  const progress: RunEvent = { type: 'run.progress', runId: 'r1', bytes: 700, documents: 9 }

  it('shows its progress while it goes on', async () => {
    tell(started, progress)
    expect(await sample('run_progress_bytes{policy="nightly"}')).toBe(700)
    expect(await sample('run_progress_documents{policy="nightly"}')).toBe(9)
    expect(await sample('run_started_timestamp_seconds{policy="nightly"}')).toBe(seconds(START))
    tell(stored('nas'), finished('success'))
    expect(await sample('run_progress_bytes{policy="nightly"}')).toBe(0)
    expect(await sample('run_bytes_per_second{policy="nightly"}')).toBeCloseTo(1000 / 90)
  })

  it('that fails again and again is counted until one stores something', async () => {
    tell(started, finished('failed', 'internal'), started, finished('failed', 'internal'))
    expect(await sample('consecutive_failures{policy="nightly"}')).toBe(2)
    tell(started, finished('cancelled', 'cancelled'))
    expect(await sample('consecutive_failures{policy="nightly"}')).toBe(2)
    tell(started, finished('partial'))
    expect(await sample('consecutive_failures{policy="nightly"}')).toBe(0)
  })

  it('tells the memory of its process, also when the kernel ended it', async () => {
    tell(started, { ...finished('failed', 'internal'), peakMemoryBytes: 2 ** 27 } as RunEvent)
    expect(await sample('run_memory_bytes{policy="nightly"}')).toBe(2 ** 27)
  })
})
