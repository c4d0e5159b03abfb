import { describe, expect, it } from 'vitest'
import type { RunEvent } from '../../agent/core/events.ts'
import { HOUR_MS } from '../../agent/core/units.ts'
import { parseEventLine } from '../../agent/runs/event-line.ts'
import { catalog, clock, metrics, START, sample, samples, seconds, stored, tell, useMetrics } from './metrics-world.ts'

useMetrics()

describe('the age of the newest backup', () => {
  const labels = '{policy="nightly",location="nas"}'

  it('counts from when the agent first had the policy while none is known', async () => {
    await clock.advance(3 * HOUR_MS)
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(3 * 3600)
    expect(await sample(`last_success_timestamp_seconds${labels}`)).toBe(0)
    tell(catalog('nas', ['2026-11-20T02:00:00Z', false]))
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(3 * 3600)
  })

  it('goes on growing at each scrape', async () => {
    tell(catalog('nas', ['2026-11-23T02:00:00Z', true]))
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(22 * 3600)
    await clock.advance(HOUR_MS)
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(23 * 3600)
  })

  it('is never negative where clocks differ a little', async () => {
    tell(catalog('nas', ['2026-11-24T00:04:00Z', true]))
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(0)
    expect(await sample(`future_backups${labels}`)).toBe(0)
  })

  it('is not hidden by a backup from the future, which is counted until its time has come', async () => {
    tell(catalog('nas', ['2026-11-26T02:00:00Z', true], ['2026-11-23T02:00:00Z', true], ['2026-11-20T02:00:00Z', true]))
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(22 * 3600)
    expect(await sample(`last_success_timestamp_seconds${labels}`)).toBe(seconds('2026-11-23T02:00:00Z'))
    expect(await sample(`future_backups${labels}`)).toBe(1)
    expect(await sample(`retained_backups${labels}`)).toBe(3)
    expect(metrics.catalogs.newest('nightly', ['nas'])).toEqual(new Date('2026-11-23T02:00:00Z'))
    await clock.advance(51 * HOUR_MS)
    expect(await sample(`future_backups${labels}`)).toBe(0)
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(3600)
  })

  it('is that of the backups there were, once a clock that was ahead is put right', async () => {
    clock.jump(400 * 24 * HOUR_MS)
    tell(catalog('nas', ['2027-12-29T00:00:00Z', true], ['2026-11-23T02:00:00Z', true]))
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(0)
    clock.jump(-400 * 24 * HOUR_MS)
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(22 * 3600)
    expect(await sample(`future_backups${labels}`)).toBe(1)
  })
})

describe('after a restart', () => {
  it('everything that locations know is rebuilt from their catalogs', async () => {
    tell(
      catalog('nas', ['2026-11-21T02:00:00Z', true], ['2026-11-23T02:00:00Z', false], ['2026-11-22T02:00:00Z', true]),
    )
    const now = await samples()
    const labels = '{policy="nightly",location="nas"}'
    expect(now.get(`retained_backups${labels}`)).toBe(3)
    expect(now.get(`last_success_timestamp_seconds${labels}`)).toBe(seconds('2026-11-22T02:00:00Z'))
    expect(now.get(`oldest_backup_timestamp_seconds${labels}`)).toBe(seconds('2026-11-21T02:00:00Z'))
    expect(now.get(`catalog_read_timestamp_seconds${labels}`)).toBe(seconds(START))
    expect(now.get('location_up{location="nas"}')).toBe(1)
    expect(now.get(`last_backup_complete${labels}`)).toBe(0)
    expect(metrics.catalogs.newest('nightly', ['offsite', 'nas'])).toEqual(new Date('2026-11-23T02:00:00Z'))
    expect(metrics.catalogs.newest('weekly', ['nas'])).toBeUndefined()
  })

  it('what was found not to be whole counts, and is the newest nowhere', async () => {
    const of = { policy: 'nightly', location: 'nas', complete: true, verified: true } as const
    const backups = [
      { backupId: 'c', startedAt: '2026-11-23T02:00:00Z', ...of, unreadable: true },
      { backupId: 'b', startedAt: '2026-11-22T02:00:00Z', ...of, verified: false, damaged: true },
      { backupId: 'a', startedAt: '2026-11-21T02:00:00Z', ...of },
    ]
    const line = JSON.stringify({ type: 'catalog.read', runId: 'c1', policy: 'nightly', location: 'nas', backups })
    const event = parseEventLine(line)
    expect(event).toEqual(JSON.parse(line))
    if (event) tell(event)
    const labels = '{policy="nightly",location="nas"}'
    expect(await sample(`retained_backups${labels}`)).toBe(3)
    expect(await sample(`damaged_backups${labels}`)).toBe(1)
    expect(await sample(`last_success_timestamp_seconds${labels}`)).toBe(seconds('2026-11-21T02:00:00Z'))
    expect(await sample(`last_verified_timestamp_seconds${labels}`)).toBe(seconds('2026-11-21T02:00:00Z'))
    expect(metrics.catalogs.backups('nightly', 'nas')[0]).toMatchObject({ backupId: 'c', unreadable: true })
  })

  it('the newest backup is known to be complete, or not', async () => {
    const series = 'last_backup_complete{policy="nightly",location="nas"}'
    tell(stored('nas', '2026-11-21T02:00:00Z'))
    expect(await sample(series)).toBe(1)
    tell(stored('nas', '2026-11-22T02:00:00Z', false))
    expect(await sample(series)).toBe(0)
    tell(stored('nas', '2026-11-23T02:00:00Z'))
    expect(await sample(series)).toBe(1)
  })

  it('a location that cannot be read is down, and keeps what was known', async () => {
    tell(catalog('nas', ['2026-11-21T02:00:00Z', true]))
    tell({ type: 'catalog.failed', runId: 'c2', location: 'nas', failure: { code: 'unreachable', message: 'no' } })
    expect(await sample('location_up{location="nas"}')).toBe(0)
    expect(await sample('retained_backups{policy="nightly",location="nas"}')).toBe(1)
    const lastError = { code: 'unreachable', message: 'no', at: clock.now() }
    expect(metrics.location('nas')).toEqual({ up: false, lastError })
    tell(catalog('nas'))
    expect(metrics.location('nas')).toEqual({ up: true, lastError: undefined })
  })
})

describe('the catalog', () => {
  const labels = '{policy="nightly",location="nas"}'

  it('follows deletions', async () => {
    tell(catalog('nas', ['2026-11-21T02:00:00Z', true], ['2026-11-22T02:00:00Z', true]))
    const backupId = 'id-2026-11-21T02:00:00Z'
    tell({ type: 'backup.deleted', runId: 'r1', policy: 'nightly', location: 'nas', backupId })
    expect(await sample(`retained_backups${labels}`)).toBe(1)
    expect(await sample(`oldest_backup_timestamp_seconds${labels}`)).toBe(seconds('2026-11-22T02:00:00Z'))
  })

  it('keeps a backup that was stored while an older listing was on its way', async () => {
    tell({ type: 'run.started', runId: 'c1', kind: 'catalog', at: START })
    tell(stored('nas', '2026-11-24T00:00:00Z'))
    tell(catalog('nas', ['2026-11-23T00:00:00Z', true]))
    expect(await sample(`retained_backups${labels}`)).toBe(2)
    expect(await sample(`last_success_timestamp_seconds${labels}`)).toBe(seconds('2026-11-24T00:00:00Z'))
    tell({ type: 'run.finished', runId: 'c1', kind: 'catalog', at: START, result: 'success', durationMs: 1 })
    tell(catalog('nas', ['2026-11-23T00:00:00Z', true]))
    expect(await sample(`retained_backups${labels}`)).toBe(1)
  })
})

describe('what is done to backups beside making them', () => {
  const labels = '{policy="nightly",location="nas"}'
  const of = { runId: 'r1', policy: 'nightly', location: 'nas' }

  it('retention: deletions, failures, and a refusal until the next one', async () => {
    tell({ type: 'backup.deleted', ...of, backupId: 'a' }, { type: 'backup.deleted', ...of, backupId: 'b' })
    tell({ type: 'retention.applied', ...of, failures: 3, refused: true })
    expect(await sample(`deletions_total${labels}`)).toBe(2)
    expect(await sample(`deletion_failures_total${labels}`)).toBe(3)
    expect(await sample(`retention_refused${labels}`)).toBe(1)
    tell({ type: 'retention.applied', ...of, failures: 0, refused: false })
    expect(await sample(`retention_refused${labels}`)).toBe(0)
    expect(await sample('deletions_total{policy="weekly",location="nas"}')).toBe(0)
  })

  it('verification: counted, and the newest proven one is known', async () => {
    tell(catalog('nas', ['2026-11-22T02:00:00Z', true], ['2026-11-23T02:00:00Z', true]))
    const verified = (startedAt: string, ok: boolean): RunEvent => {
      return { type: 'backup.verified', ...of, backupId: `id-${startedAt}`, startedAt, ok }
    }
    tell(verified('2026-11-22T02:00:00Z', true), verified('2026-11-23T02:00:00Z', false))
    expect(await sample(`verified_backups${labels}`)).toBe(1)
    expect(await sample(`last_verified_timestamp_seconds${labels}`)).toBe(seconds('2026-11-22T02:00:00Z'))
    // What is damaged is not the newest good one either.
    expect(await sample(`damaged_backups${labels}`)).toBe(1)
    expect(await sample(`last_success_timestamp_seconds${labels}`)).toBe(seconds('2026-11-22T02:00:00Z'))
    expect(await sample('verifications_total{policy="nightly",location="nas",result="success"}')).toBe(1)
    expect(await sample('verifications_total{policy="nightly",location="nas",result="failed"}')).toBe(1)
  })

  it('what the catalog says of pins, proofs, and the newest manifest', async () => {
    const backup = { policy: 'nightly', location: 'nas', complete: true }
    const backups = [
      { ...backup, backupId: 'b', startedAt: '2026-11-23T02:00:00Z', pinned: true, damaged: true },
      { ...backup, backupId: 'a', startedAt: '2026-11-22T02:00:00Z', pinned: true, verified: true },
    ]
    const newest = { sourceBytes: 5000, storedBytes: 700, consistent: true }
    tell({ type: 'catalog.read', runId: 'c1', policy: 'nightly', location: 'nas', backups, newest })
    expect(await sample(`pinned_backups${labels}`)).toBe(2)
    expect(await sample(`damaged_backups${labels}`)).toBe(1)
    expect(await sample(`last_success_timestamp_seconds${labels}`)).toBe(seconds('2026-11-22T02:00:00Z'))
    expect(await sample(`verified_backups${labels}`)).toBe(1)
    expect(await sample(`stored_bytes${labels}`)).toBe(700)
    expect(await sample(`last_success_consistent${labels}`)).toBe(1)
    expect(metrics.catalogs.backups('nightly', 'nas').map(({ backupId }) => backupId)).toEqual(['b', 'a'])
    tell({ ...stored('nas'), consistent: false } as RunEvent)
    expect(await sample(`last_success_consistent${labels}`)).toBe(0)
    expect(await sample(`stored_bytes${labels}`)).toBe(300)
  })

  it('sweeps and catalogs, by location', async () => {
    tell({ type: 'location.swept', runId: 'r1', location: 'nas', objects: 4, failures: 1 }, catalog('nas'))
    tell({ type: 'catalog.failed', runId: 'c2', location: 'nas', failure: { code: 'auth', message: 'no' } })
    const used = { type: 'location.used', runId: 'r1', location: 'nas', sentBytes: 70, receivedBytes: 5 } as const
    for (const _ of [1, 2]) tell({ ...used, operations: { put: 3 }, errors: { unavailable: 1 } })
    expect(await sample('location_bytes_total{location="nas",direction="sent"}')).toBe(140)
    expect(await sample('location_bytes_total{location="nas",direction="received"}')).toBe(10)
    expect(await sample('location_operations_total{location="nas",operation="put"}')).toBe(6)
    expect(await sample('location_errors_total{location="nas",code="unavailable"}')).toBe(2)
    expect(await sample('swept_objects_total{location="nas"}')).toBe(4)
    expect(await sample('sweep_failures_total{location="nas"}')).toBe(1)
    expect(await sample('last_sweep_timestamp_seconds{location="nas"}')).toBe(seconds(START))
    expect(await sample('catalog_reads_total{location="nas",result="success"}')).toBe(1)
    expect(await sample('catalog_reads_total{location="nas",result="failed"}')).toBe(1)
  })
})
