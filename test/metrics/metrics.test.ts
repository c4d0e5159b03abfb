import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../agent/core/errors.ts'
import { HOUR_MS } from '../../agent/core/units.ts'
import { STAGES } from '../../agent/metrics/run-statistics.ts'
import { LOCATION_ERRORS } from '../../agent/metrics/upkeep-metrics.ts'
import {
  CONFIG,
  clock,
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
          'future_backups',
          'pinned_backups',
          'verified_backups',
          'damaged_backups',
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

describe('a reload', () => {
  it('tells when certificates expire, as long as they are in force', async () => {
    const certificates = [
      { certificate: 'provider.palette.mongodb.ca_cert', expiresAt: new Date('2027-01-01T00:00:00Z') },
    ]
    metrics.onApplied({ ...CONFIG, certificates })
    const series = 'certificate_expiry_timestamp_seconds{certificate="provider.palette.mongodb.ca_cert"}'
    expect(await sample(series)).toBe(seconds('2027-01-01T00:00:00Z'))
    metrics.onApplied(CONFIG)
    expect(await sample(series)).toBeUndefined()
  })

  it('tells when the certificates expire that were found in the cluster, also while it does not answer', async () => {
    const certificate = 'Secret hubble-system/mongo-tls, key ca.crt'
    const series = `certificate_expiry_timestamp_seconds{certificate="${certificate}"}`
    const found = { type: 'installation.found', runId: 'r1', facts: [], problems: [] } as const
    tell({ ...found, certificates: [{ certificate, expiresAt: '2027-01-01T00:00:00.000Z' }] })
    expect(await sample(series)).toBe(seconds('2027-01-01T00:00:00Z'))
    tell(found)
    metrics.onApplied(CONFIG)
    expect(await sample(series)).toBe(seconds('2027-01-01T00:00:00Z'))
    tell({ ...found, certificates: [] })
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

it('is rendered once for all who ask at the same time, and anew for who asks later', async () => {
  const [first, second] = await Promise.all([metrics.render(), metrics.render()])
  expect(second).toBe(first)
  clock.jump(HOUR_MS)
  const later = await metrics.render()
  expect(later.text).not.toBe(first.text)
})
