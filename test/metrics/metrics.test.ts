import { beforeEach, describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../agent/core/errors.ts'
import type { BackupSummary, RunEvent } from '../../agent/core/events.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../agent/core/units.ts'
import type { Metrics } from '../../agent/metrics/metrics.ts'
import { createMetrics } from '../../agent/metrics/metrics.ts'
import { STAGES } from '../../agent/metrics/run-statistics.ts'
import { LOCATION_ERRORS } from '../../agent/metrics/upkeep-metrics.ts'
import { FakeClock } from '../support/fake-clock.ts'

const START = '2026-11-24T00:00:00Z'
const POLICIES = [
  { name: 'nightly', backupLocations: ['offsite', 'nas'] },
  { name: 'weekly', backupLocations: ['nas'] },
]
const CONFIG = { digest: 'aa11', policies: POLICIES, locations: [{ name: 'offsite' }, { name: 'nas' }] }

let clock: FakeClock
let metrics: Metrics

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

/** The samples of our own metrics, without the prefix. */
async function samples(): Promise<Map<string, number>> {
  const { text } = await metrics.render()
  const lines = text.split('\n').filter((line) => line.startsWith('palette_backup_'))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice('palette_backup_'.length, space), Number(line.slice(space + 1))]
    }),
  )
}

async function sample(series: string): Promise<number | undefined> {
  return (await samples()).get(series)
}

/** The series of a metric that are not 0. */
function counted(now: ReadonlyMap<string, number>, name: string): string[] {
  return [...now].filter(([series, value]) => series.startsWith(`${name}{`) && value !== 0).map(([series]) => series)
}

const seconds = (iso: string): number => new Date(iso).getTime() / 1000

const started: RunEvent = { type: 'run.started', runId: 'r1', kind: 'backup', policy: 'nightly', at: START }

function finished(result: 'success' | 'partial' | 'failed' | 'cancelled', code?: 'internal' | 'cancelled'): RunEvent {
  const failure = code ? { failure: { code, message: 'secret text' } } : {}
  const facts = { at: START, durationMs: 90_000, sourceBytes: 1000, storedBytes: 300 }
  return { type: 'run.finished', runId: 'r1', kind: 'backup', policy: 'nightly', result, ...facts, ...failure }
}

function stored(location: string, startedAt = '2026-11-24T02:00:00Z', complete = true): RunEvent {
  const backup = { backupId: `id-${startedAt}`, startedAt, complete, storedBytes: 300 }
  return { type: 'location.stored', runId: 'r1', policy: 'nightly', location, ...backup }
}

function failed(location: string, stage: string, code: 'unreachable' | 'cancelled' = 'unreachable'): RunEvent {
  const failure = { code, message: 'secret text' }
  return { type: 'location.failed', runId: 'r1', policy: 'nightly', location, stage, failure }
}

function catalog(location: string, ...backups: readonly (readonly [startedAt: string, complete: boolean])[]): RunEvent {
  const list = backups.map(([startedAt, complete]): BackupSummary => {
    return { backupId: `id-${startedAt}`, policy: 'nightly', location, startedAt, complete }
  })
  return { type: 'catalog.read', runId: 'c1', policy: 'nightly', location, backups: list }
}

function tell(...events: RunEvent[]): void {
  for (const event of events) metrics.onEvent(event)
}

describe('from the start', () => {
  it('every series of every policy and location exists', async () => {
    expect(Object.fromEntries(await samples())).toEqual({
      ...Object.fromEntries(
        [
          'last_success_timestamp_seconds',
          'last_success_age_seconds',
          'last_failure_timestamp_seconds',
          'stored_bytes',
          'last_backup_complete',
          'retained_backups',
          'oldest_backup_timestamp_seconds',
          'pinned_backups',
          'verified_backups',
          'last_verified_timestamp_seconds',
          'last_success_consistent',
          'deletions_total',
          'deletion_failures_total',
          'retention_refused',
          'catalog_read_timestamp_seconds',
        ].flatMap((name) => [
          [`${name}{policy="nightly",location="offsite"}`, 0],
          [`${name}{policy="nightly",location="nas"}`, 0],
          [`${name}{policy="weekly",location="nas"}`, 0],
        ]),
      ),
      ...Object.fromEntries(
        ['nightly', 'weekly'].flatMap((policy) => [
          [`running{policy="${policy}"}`, 0],
          [`run_duration_seconds{policy="${policy}"}`, 0],
          [`run_source_bytes{policy="${policy}"}`, 0],
          [`run_started_timestamp_seconds{policy="${policy}"}`, 0],
          [`run_progress_bytes{policy="${policy}"}`, 0],
          [`run_progress_documents{policy="${policy}"}`, 0],
          [`run_bytes_per_second{policy="${policy}"}`, 0],
          [`run_memory_bytes{policy="${policy}"}`, 0],
          [`consecutive_failures{policy="${policy}"}`, 0],
          [`retry_timestamp_seconds{policy="${policy}"}`, policy === 'weekly' ? seconds('2026-11-24T00:05:00Z') : 0],
          ...STAGES.flatMap((stage) =>
            ERROR_CODES.map((code) => [`failures_total{policy="${policy}",stage="${stage}",code="${code}"}`, 0]),
          ),
          [
            `next_run_timestamp_seconds{policy="${policy}"}`,
            policy === 'nightly' ? seconds('2026-11-24T02:00:00Z') : 0,
          ],
          [`expected_interval_seconds{policy="${policy}"}`, 86_400],
          ...['success', 'partial', 'failed', 'cancelled', 'skipped'].map((result) => [
            `runs_total{policy="${policy}",result="${result}"}`,
            0,
          ]),
        ]),
      ),
      ...Object.fromEntries(
        ['policy="nightly",location="offsite"', 'policy="nightly",location="nas"', 'policy="weekly",location="nas"']
          .flatMap((pair) => [`${pair},result="success"`, `${pair},result="failed"`])
          .map((labels) => [`verifications_total{${labels}}`, 0]),
      ),
      ...Object.fromEntries(
        ['offsite', 'nas'].flatMap((location) => [
          [`location_up{location="${location}"}`, 0],
          [`last_sweep_timestamp_seconds{location="${location}"}`, 0],
          [`swept_objects_total{location="${location}"}`, 0],
          [`sweep_failures_total{location="${location}"}`, 0],
          [`catalog_reads_total{location="${location}",result="success"}`, 0],
          [`catalog_reads_total{location="${location}",result="failed"}`, 0],
          [`location_bytes_total{location="${location}",direction="sent"}`, 0],
          [`location_bytes_total{location="${location}",direction="received"}`, 0],
          ...['put', 'get', 'list', 'delete', 'stat', 'discard'].map((operation) => [
            `location_operations_total{location="${location}",operation="${operation}"}`,
            0,
          ]),
          ...LOCATION_ERRORS.map((code) => [`location_errors_total{location="${location}",code="${code}"}`, 0]),
        ]),
      ),
      scheduler_clock_jumps_total: 2,
      scheduler_last_tick_timestamp_seconds: seconds(START),
      config_last_reload_successful: 1,
      config_last_reload_success_timestamp_seconds: seconds(START),
      'config_reloads_total{result="applied"}': 1,
      'config_reloads_total{result="refused"}': 0,
      'config_info{digest="aa11"}': 1,
      'build_info{version="1.2.3"}': 1,
    })
  })

  it('has a help text and a type for each, and tells of the process', async () => {
    const { contentType, text } = await metrics.render()
    expect(contentType).toContain('text/plain')
    for (const series of (await samples()).keys()) {
      const name = `palette_backup_${series.replace(/\{.*/, '')}`
      expect(text).toContain(`# HELP ${name} `)
      expect(text).toMatch(new RegExp(`# TYPE ${name} (gauge|counter)\n`))
    }
    expect(text).toMatch(/^process_resident_memory_bytes [1-9]/m)
  })

  it('uses no label that a scrape sets itself', async () => {
    const { text } = await metrics.render()
    expect(text).not.toMatch(/[{,](job|instance|namespace)=/)
  })
})

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

  it('is never negative, whatever a clock says', async () => {
    tell(catalog('nas', ['2026-11-25T02:00:00Z', true]))
    expect(await sample(`last_success_age_seconds${labels}`)).toBe(0)
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

  it('the newest backup is known to be complete, or not', async () => {
    const series = 'last_backup_complete{policy="nightly",location="nas"}'
    tell(stored('nas', '2026-11-24T02:00:00Z'))
    expect(await sample(series)).toBe(1)
    tell(stored('nas', '2026-11-25T02:00:00Z', false))
    expect(await sample(series)).toBe(0)
    tell(stored('nas', '2026-11-26T02:00:00Z'))
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
    expect(await sample('verifications_total{policy="nightly",location="nas",result="success"}')).toBe(1)
    expect(await sample('verifications_total{policy="nightly",location="nas",result="failed"}')).toBe(1)
  })

  it('what the catalog says of pins, proofs, and the newest manifest', async () => {
    const backup = { policy: 'nightly', location: 'nas', complete: true }
    const backups = [
      { ...backup, backupId: 'b', startedAt: '2026-11-23T02:00:00Z', pinned: true },
      { ...backup, backupId: 'a', startedAt: '2026-11-22T02:00:00Z', pinned: true, verified: true },
    ]
    const newest = { sourceBytes: 5000, storedBytes: 700, consistent: true }
    tell({ type: 'catalog.read', runId: 'c1', policy: 'nightly', location: 'nas', backups, newest })
    expect(await sample(`pinned_backups${labels}`)).toBe(2)
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

describe('a reload', () => {
  it('tells when certificates expire, as long as they are in force', async () => {
    const certificates = [
      { attribute: 'provider.palette.mongodb.ca_cert', expiresAt: new Date('2027-01-01T00:00:00Z') },
    ]
    metrics.onApplied({ ...CONFIG, certificates })
    const series = 'certificate_expiry_timestamp_seconds{attribute="provider.palette.mongodb.ca_cert"}'
    expect(await sample(series)).toBe(seconds('2027-01-01T00:00:00Z'))
    metrics.onApplied(CONFIG)
    expect(await sample(series)).toBeUndefined()
  })

  it('removes the series of what is gone and keeps the others', async () => {
    tell(started, stored('nas'), stored('offsite'), failed('nas', 'store'), finished('success'))
    const policies = [{ name: 'nightly', backupLocations: ['nas'] }]
    metrics.onApplied({ digest: 'bb22', policies, locations: [{ name: 'nas' }] })
    const now = await samples()
    expect([...now.keys()].filter((series) => /weekly|offsite|aa11/.test(series))).toEqual([])
    expect(now.get('config_info{digest="bb22"}')).toBe(1)
    expect(now.get('runs_total{policy="nightly",result="success"}')).toBe(1)
    expect(now.get('retained_backups{policy="nightly",location="nas"}')).toBe(1)
    expect(now.get('config_reloads_total{result="applied"}')).toBe(2)
    metrics.onApplied(CONFIG)
    expect(await sample('retained_backups{policy="nightly",location="offsite"}')).toBe(0)
  })

  it('that is refused shows, until one is applied', async () => {
    await clock.advance(HOUR_MS)
    metrics.onRefused()
    expect(await sample('config_last_reload_successful')).toBe(0)
    expect(await sample('config_reloads_total{result="refused"}')).toBe(1)
    expect(await sample('config_last_reload_success_timestamp_seconds')).toBe(seconds(START))
    expect(await sample('config_info{digest="aa11"}')).toBe(1)
    metrics.onApplied(CONFIG)
    expect(await sample('config_last_reload_successful')).toBe(1)
  })

  it('that is refused and taken back leaves no trace in the state', async () => {
    metrics.onRefused()
    metrics.onUnchanged()
    expect(await sample('config_last_reload_successful')).toBe(1)
    expect(await sample('config_reloads_total{result="applied"}')).toBe(1)
    expect(await sample('config_reloads_total{result="refused"}')).toBe(1)
  })
})
