import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LoadedConfig, ReloadHooks, Reloading } from '../../agent/commands/agent-process.ts'
import { Agent } from '../../agent/commands/agent-process.ts'
import type { Config, LocationConfig, PolicyConfig } from '../../agent/config/config.ts'
import { hasErrors } from '../../agent/core/diagnostics.ts'
import { HOUR_MS, SECOND_MS } from '../../agent/core/units.ts'
import type { ReloadReport } from '../../agent/http/agent-view.ts'
import { testConfig, testPolicy } from '../runs/test-config.ts'
import { FakeClock } from '../support/fake-clock.ts'

const RUN = fileURLToPath(new URL('fixtures/run.mjs', import.meta.url))

let folder: string
let clock: FakeClock
let lines: Record<string, unknown>[]
let agent: Agent
let base: string
let drainMs: number
/** What the next reload finds. */
let next: LoadedConfig

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-'))
  await mkdir(join(folder, 'nas'))
  clock = new FakeClock('2026-11-24T00:00:00Z')
  lines = []
  drainMs = 0
})

afterEach(async () => {
  await agent.stop()
  expect(clock.sleepers).toBe(0)
  await rm(folder, { recursive: true })
})

function location(name: string, changes: { validate?: boolean } = {}): LocationConfig {
  return { name, storageProvider: 'filesystem', path: join(folder, name), folder: '', validate: true, ...changes }
}

function config(policies: readonly PolicyConfig[] = [nightly], changes: Partial<Config> = {}): Config {
  return testConfig({ locations: [location('nas')], policies, ...changes })
}

const nightly = testPolicy({ name: 'nightly', backupLocations: ['nas'] })
const slow = testPolicy({ name: 'slow', backupLocations: ['nas'] })

/** Applies what `next` holds as the real one does: check, swap, report. */
function createReloading({ check, apply, onReport }: ReloadHooks): Reloading {
  const stopped = new AbortController()
  return {
    start: async () => undefined,
    async reload(): Promise<ReloadReport> {
      const { config: found, diagnostics } = next
      const problems = found
        ? await check(
            found,
            found.locations.map(({ name }) => name),
            stopped.signal,
          )
        : []
      const all = [...diagnostics, ...problems]
      const outcome = found && !hasErrors(all) ? 'applied' : 'refused'
      if (found && outcome === 'applied') apply(found)
      const report: ReloadReport = { at: clock.now().toISOString(), outcome, diagnostics: all }
      onReport(report)
      return report
    },
    stop: async () => stopped.abort(),
  }
}

async function start(initial: Config = config()): Promise<void> {
  const silent = { isTerminal: false, write: () => undefined }
  agent = new Agent(
    {
      configFile: '/etc/palette-backup/palette-backup.yaml',
      host: '127.0.0.1',
      port: 0,
      runCommand: [process.execPath, RUN],
      drainMs,
      patience: { silentMs: 24 * HOUR_MS, stallMs: 24 * HOUR_MS },
      initial: { config: initial, diagnostics: [] },
      loadText: async (text) => (text === 'good' ? { config: initial, diagnostics: [] } : { diagnostics: [BAD] }),
      createReloading,
    },
    {
      env: process.env,
      clock,
      logger: pino(
        { formatters: { level: (level) => ({ level }) } },
        { write: (line: string) => lines.push(JSON.parse(line)) },
      ),
      signal: new AbortController().signal,
      toolVersion: '1.2.3',
      stdout: silent,
      stderr: silent,
      readLine: async () => undefined,
    },
  )
  await agent.start()
  base = `http://127.0.0.1:${lines.find((line) => line['msg'] === 'listening')?.['port']}`
}

const BAD = { severity: 'error' as const, summary: 'Unsupported attribute', detail: 'No.', path: ['provider', 'x'] }

async function ask(path: string, method = 'GET', body?: string) {
  const response = await fetch(`${base}${path}`, { method, ...(body === undefined ? {} : { body }) })
  return { status: response.status, json: JSON.parse(await response.text()) }
}

async function sample(series: string): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`palette_backup_${series} `))
  return line === undefined ? Number.NaN : Number(line.split(' ').at(-1))
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(5)
}

const logged = (msg: string) => lines.filter((line) => line['msg'] === msg)
const catalogRead = () => until(async () => (await sample('location_up{location="nas"}')) === 1)
const store = (policy: string, startedAt: string) => writeFile(join(folder, 'nas', policy), `${startedAt}\n`)

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

describe('over HTTP', () => {
  it('starts a backup, or names the one that is under way', async () => {
    await start(config([slow]))
    const first = await ask('/backups?policy=slow', 'POST')
    expect(first).toMatchObject({ status: 202, json: { state: 'running', started: true } })
    const second = await ask('/backups?policy=slow', 'POST')
    expect(second).toMatchObject({ status: 202, json: { runId: first.json.runId, started: false } })
    expect((await ask('/backups?policy=nightly', 'POST')).status).toBe(404)
  })

  it('lists what the locations hold, and when that was read', async () => {
    await store('nightly', '2026-11-23T02:00:01Z')
    await start()
    await catalogRead()
    expect((await ask('/backups?policy=nightly')).json).toMatchObject({
      backups: [{ policy: 'nightly', location: 'nas', startedAt: '2026-11-23T02:00:01.000Z', complete: true }],
      catalogs: [{ policy: 'nightly', location: 'nas', readAt: '2026-11-24T00:00:00.000Z', up: true }],
    })
    expect((await ask('/backups?location=other')).json).toEqual({ backups: [], catalogs: [] })
  })

  it('shows one run and cancels it', async () => {
    await start(config([slow]))
    const { runId } = (await ask('/backups?policy=slow', 'POST')).json
    await until(() => logged('run started').length > 0)
    expect(await ask(`/runs/${runId}`)).toMatchObject({ status: 200, json: { state: 'running', policy: 'slow' } })
    expect(await ask(`/runs/${runId}`, 'DELETE')).toMatchObject({ status: 202, json: { state: 'cancelling' } })
    await until(async () => (await ask(`/runs/${runId}`)).json.result === 'cancelled')
    expect((await ask(`/runs/${runId}`)).json.log.at(-1)).toMatchObject({ message: 'run finished' })
    expect((await ask(`/runs/${runId}`, 'DELETE')).status).toBe(409)
    expect((await ask('/runs/abcdefgh', 'DELETE')).status).toBe(404)
    expect(await sample('retry_timestamp_seconds{policy="slow"}')).toBe(0)
  })

  it('validates a location', async () => {
    await start()
    expect(await ask('/validate?location=nas')).toMatchObject({
      status: 200,
      json: { ok: true, steps: [{ name: 'write' }] },
    })
    await rm(join(folder, 'nas'), { recursive: true })
    expect(await ask('/validate?location=nas')).toMatchObject({
      status: 422,
      json: { ok: false, steps: [{ name: 'write', failure: { message: 'the folder is not there' } }] },
    })
    expect((await ask('/validate?location=other')).status).toBe(404)
  })

  it('validates a configuration without applying it', async () => {
    await start()
    expect(await ask('/validate', 'POST', 'good')).toMatchObject({
      status: 200,
      json: { ok: true, locations: [{ ok: true }] },
    })
    expect(await ask('/validate', 'POST', 'bad')).toMatchObject({
      status: 422,
      json: { diagnostics: [BAD], locations: [] },
    })
    expect(await sample('config_reloads_total{result="refused"}')).toBe(0)
    await rm(join(folder, 'nas'), { recursive: true })
    const answer = await ask('/validate', 'POST', 'good')
    expect(answer).toMatchObject({ status: 422, json: { ok: false, locations: [{ location: 'nas', ok: false }] } })
    expect(answer.json.diagnostics).toMatchObject([
      { summary: 'Backup storage location cannot be used', path: ['resource', 'backup_storage_location', 'nas'] },
    ])
  })
})

describe('a reload', () => {
  it('applies a new configuration everywhere', async () => {
    await start()
    await catalogRead()
    await store('hourly', '2026-11-23T23:00:00Z')
    const hourly = testPolicy({
      name: 'hourly',
      backupLocations: ['nas'],
      schedule: { kind: 'cron', expression: '0 * * * *' },
    })
    next = { config: config([hourly], { digest: 'd2' }), diagnostics: [] }
    expect(await ask('/-/reload', 'POST')).toMatchObject({ status: 200, json: { outcome: 'applied' } })
    expect(logged('configuration applied')).toMatchObject([{ digest: 'd1' }, { digest: 'd2' }])
    expect(await sample('next_run_timestamp_seconds{policy="hourly"}')).toBe(Date.UTC(2026, 10, 24, 1) / 1000)
    expect(await sample('next_run_timestamp_seconds{policy="nightly"}')).toBeNaN()
    await until(async () => (await sample('retained_backups{policy="hourly",location="nas"}')) === 1)
    await clock.advance(HOUR_MS)
    await until(() => logged('run finished').length > 0)
    expect(logged('run finished')).toMatchObject([{ policy: 'hourly', result: 'success' }])
  })

  it('refuses a configuration with errors, and the last good one goes on', async () => {
    await start()
    next = { diagnostics: [BAD] }
    expect(await ask('/-/reload', 'POST')).toMatchObject({
      status: 422,
      json: { outcome: 'refused', diagnostics: [BAD] },
    })
    expect(logged('configuration error')).toMatchObject([{ level: 'error', summary: BAD.summary, path: 'provider.x' }])
    expect(logged('configuration refused')).toMatchObject([{ level: 'error', inForce: 'd1' }])
    expect(await sample('config_last_reload_successful')).toBe(0)
    expect(await sample('config_info{digest="d1"}')).toBe(1)
    expect((await ask('/status')).json.configuration).toMatchObject({
      digest: 'd1',
      lastReload: { outcome: 'refused' },
    })
  })

  it('refuses a location that cannot be used, unless it is not to be validated', async () => {
    await start()
    next = {
      config: config([nightly], { digest: 'd2', locations: [location('nas'), location('new')] }),
      diagnostics: [],
    }
    const answer = await ask('/-/reload', 'POST')
    expect(answer.status).toBe(422)
    expect(answer.json.diagnostics).toHaveLength(1)
    expect(answer.json.diagnostics[0]).toMatchObject({ path: ['resource', 'backup_storage_location', 'new'] })
    expect(answer.json.diagnostics[0].detail).toContain('the folder is not there')
    const unchecked = [location('nas'), location('new', { validate: false })]
    next = { config: config([nightly], { digest: 'd3', locations: unchecked }), diagnostics: [] }
    expect(await ask('/-/reload', 'POST')).toMatchObject({ status: 200, json: { outcome: 'applied' } })
    expect(await sample('config_info{digest="d3"}')).toBe(1)
  })

  it('leaves a run in flight alone', async () => {
    await start(config([slow]))
    const { json } = await ask('/backups?policy=slow', 'POST')
    next = { config: config([nightly], { digest: 'd2' }), diagnostics: [] }
    expect((await ask('/-/reload', 'POST')).status).toBe(200)
    expect((await ask('/runs')).json.active).toContainEqual(
      expect.objectContaining({ runId: json.runId, policy: 'slow' }),
    )
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
    drainMs = HOUR_MS
    await start(config([slow]))
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
