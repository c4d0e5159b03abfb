import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HOUR_MS, SECOND_MS } from '../../agent/core/units.ts'
import { testPolicy } from '../runs/test-config.ts'
import {
  agent,
  ask,
  base,
  catalogRead,
  clock,
  config,
  folder,
  logged,
  sample,
  slow,
  start,
  store,
  until,
  useAgent,
} from './agent-world.ts'

useAgent()

describe('the agent at its start', () => {
  it('listens, is alive and ready, and says so', async () => {
    await start()
    expect(logged('listening')).toMatchObject([{ level: 'info', host: '127.0.0.1', version: '1.2.3' }])
    expect(logged('configuration applied')).toMatchObject([{ digest: 'd1', policies: 1, locations: 1 }])
    expect((await fetch(`${base}/healthz`)).status).toBe(200)
    expect((await fetch(`${base}/readyz`)).status).toBe(200)
    expect(await sample('next_run_timestamp_seconds{policy="nightly"}')).toBe(Date.UTC(2026, 10, 24, 2) / 1000)
    expect(await sample('expected_interval_seconds{policy="nightly"}')).toBe(86_400)
  })

  it('learns from the locations what there is', async () => {
    await store('nightly', '2026-11-23T02:00:01Z')
    await start()
    await catalogRead()
    const labels = '{policy="nightly",location="nas"}'
    expect(await sample(`last_success_timestamp_seconds${labels}`)).toBe(Date.UTC(2026, 10, 23, 2, 0, 1) / 1000)
    expect((await ask('/status')).json).toMatchObject({
      configuration: { digest: 'd1', lastReload: { outcome: 'applied' } },
      policies: [{ name: 'nightly', nextRun: '2026-11-24T02:00:00.000Z', locations: [{ name: 'nas', backups: 1 }] }],
      locations: [{ name: 'nas', up: true, lastError: null }],
    })
    expect(logged('run started')).toEqual([])
  })

  it('makes up a backup that was missed while it was down, once', async () => {
    await store('nightly', '2026-11-20T02:00:01Z')
    await start()
    await until(() => logged('run finished').length > 0)
    expect(logged('run finished')).toMatchObject([
      { level: 'info', kind: 'backup', policy: 'nightly', result: 'success', sourceBytes: 100 },
    ])
    expect((await readFile(join(folder, 'nas', 'nightly'), 'utf8')).trim().split('\n')).toHaveLength(2)
  })

  it('asks a location that does not answer again, soon, and then catches up', async () => {
    await rm(join(folder, 'nas'), { recursive: true })
    await start()
    await until(() => logged('catalog could not be read').length === 1)
    expect((await ask('/status')).json.locations).toMatchObject([
      { name: 'nas', up: false, lastError: { code: 'unreachable', message: 'the folder is not there' } },
    ])
    await mkdir(join(folder, 'nas'))
    await store('nightly', '2026-11-20T02:00:01Z')
    // The run must have ended before its successor can wait for time to pass.
    await until(async () => (await ask('/runs')).json.active.length === 0)
    await clock.advance(30 * SECOND_MS)
    await until(() => logged('run finished').some((line) => line['kind'] === 'backup'))
    expect(await sample('location_up{location="nas"}')).toBe(1)
  })
})

describe('a due time', () => {
  it('starts a backup, and metrics tell of it', async () => {
    await start()
    await catalogRead()
    await clock.advance(2 * HOUR_MS)
    await until(() => logged('run finished').length > 0)
    expect(await sample('runs_total{policy="nightly",result="success"}')).toBe(1)
    expect(await sample('retained_backups{policy="nightly",location="nas"}')).toBe(1)
    // A run is history once its process is gone.
    await until(async () => (await ask('/runs')).json.active.length === 0)
    expect((await ask('/runs')).json.recent).toContainEqual(
      expect.objectContaining({ kind: 'backup', policy: 'nightly', result: 'success' }),
    )
  })

  it('that comes while the last backup is under way is skipped, counted and logged', async () => {
    await start(config([slow]))
    const { json } = await ask('/backups?policy=slow', 'POST')
    await clock.advance(2 * HOUR_MS)
    expect(logged('backup skipped: the last one is still under way')).toMatchObject([
      { level: 'warn', policy: 'slow', dueAt: '2026-11-24T02:00:00.000Z', run: json.runId },
    ])
    expect(await sample('runs_total{policy="slow",result="skipped"}')).toBe(1)
    expect((await ask('/runs')).json.recent).toContainEqual(
      expect.objectContaining({ policy: 'slow', result: 'skipped', startedAt: '2026-11-24T02:00:00.000Z' }),
    )
  })
})

describe('a backup that fails', () => {
  it('is tried again after 5 minutes, and the metrics tell when', async () => {
    await start(config([testPolicy({ name: 'broken', backupLocations: ['nas'] })]))
    await catalogRead()
    await clock.advance(2 * HOUR_MS)
    await until(() => logged('run finished').length === 1)
    const at = Date.UTC(2026, 10, 24, 2, 5) / 1000
    // The next try is planned once the process is gone.
    await until(async () => (await sample('retry_timestamp_seconds{policy="broken"}')) === at)
    expect((await ask('/status')).json.policies[0].retryAt).toBe('2026-11-24T02:05:00.000Z')
    await until(async () => (await ask('/runs')).json.active.length === 0)
    await clock.advance(5 * 60 * SECOND_MS)
    await until(() => logged('run finished').length === 2)
    await until(async () => (await sample('consecutive_failures{policy="broken"}')) === 2)
    expect(logged('backup due')).toMatchObject([{ why: 'schedule' }, { why: 'retry', policy: 'broken' }])
  })
})

describe('a backup whose process is killed after it stored one', () => {
  it('is counted where it is, as soon as the run is over', async () => {
    await start(config([testPolicy({ name: 'dies-late', backupLocations: ['nas'] })]))
    await catalogRead()
    await ask('/backups?policy=dies-late', 'POST')
    await until(() => logged('run finished').length === 1)
    expect(logged('run finished')).toMatchObject([{ result: 'failed' }])
    await until(async () => (await sample('retained_backups{policy="dies-late",location="nas"}')) === 1)
    expect(await sample('last_success_timestamp_seconds{policy="dies-late",location="nas"}')).toBeGreaterThan(0)
  })
})

describe('stopping', () => {
  it('ends runs, answers no more, and leaves nothing', async () => {
    await start(config([slow]))
    const { json } = await ask('/backups?policy=slow', 'POST')
    await until(() => logged('run started').length > 0)
    await agent.stop()
    const finished = logged('run finished').filter((line) => line['kind'] === 'backup')
    expect(finished).toMatchObject([{ run: json.runId, result: 'cancelled' }])
    expect(logged('stopped')).toHaveLength(1)
    await expect(fetch(`${base}/healthz`)).rejects.toThrow()
    expect(existsSync(join(folder, 'nas', 'slow'))).toBe(false)
  })

  it('lets a backup end when it is patient, and cancels it at the second request', async () => {
    await start(config([slow]), { drainMs: HOUR_MS })
    await ask('/backups?policy=slow', 'POST')
    await until(() => logged('run started').length > 0)
    const stopped = agent.stop()
    expect((await ask('/readyz')).status).toBe(503)
    expect(logged('run finished')).toEqual([])
    agent.hurry()
    await stopped
    expect(logged('run finished')).toMatchObject([{ result: 'cancelled' }])
    expect(logged('stopping at once')).toHaveLength(1)
  })

  it('is not ready any more while runs end', async () => {
    const slower = testPolicy({ name: 'slower', backupLocations: ['nas'] })
    await start(config([slower]))
    await ask('/backups?policy=slower', 'POST')
    await until(() => logged('run started').length > 0)
    const stopped = agent.stop()
    expect(await ask('/readyz')).toMatchObject({ status: 503, json: { detail: 'the agent is stopping' } })
    expect(await ask('/backups?policy=slower', 'POST')).toMatchObject({ status: 202, json: { started: false } })
    await mkdir(join(folder, 'nas', 'go'))
    await stopped
    expect(logged('run finished')).toMatchObject([{ result: 'cancelled' }])
  })
})
