import { beforeEach, describe, expect, it } from 'vitest'
import type { BackupSummary, RunEvent } from '../../agent/core/events.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../agent/core/units.ts'
import type { Metrics } from '../../agent/metrics/metrics.ts'
import { createMetrics } from '../../agent/metrics/metrics.ts'
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
          'retained_backups',
          'oldest_backup_timestamp_seconds',
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
      'location_up{location="offsite"}': 0,
      'location_up{location="nas"}': 0,
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
    expect([...now.keys()].filter((series) => series.startsWith('failures_total'))).toHaveLength(1)
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
    expect([...now.keys()].filter((series) => series.startsWith('failures_total'))).toEqual([])
  })

  it('that is incomplete is retained, but no success', async () => {
    tell(started, stored('nas', '2026-11-23T02:00:00Z', false), finished('partial'))
    expect(await sample('retained_backups{policy="nightly",location="nas"}')).toBe(1)
    expect(await sample('last_success_timestamp_seconds{policy="nightly",location="nas"}')).toBe(0)
  })

  it('that was due too early is counted as skipped', async () => {
    metrics.onSkipped('nightly')
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
    expect(metrics.catalogs.newest('nightly', ['offsite', 'nas'])).toEqual(new Date('2026-11-23T02:00:00Z'))
    expect(metrics.catalogs.newest('weekly', ['nas'])).toBeUndefined()
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

describe('a reload', () => {
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
