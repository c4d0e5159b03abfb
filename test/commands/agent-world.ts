import { writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterEach, beforeEach, expect } from 'vitest'
import { Agent } from '../../agent/commands/agent-process.ts'
import type { LoadedConfig, Reloading } from '../../agent/commands/reloading.ts'
import type { Config, LocationConfig, PolicyConfig } from '../../agent/config/config.ts'
import type { ReloadHooks } from '../../agent/config/reloader.ts'
import { hasErrors } from '../../agent/core/diagnostics.ts'
import { HOUR_MS } from '../../agent/core/units.ts'
import type { ReloadReport } from '../../agent/http/agent-view.ts'
import { testConfig, testPolicy } from '../runs/test-config.ts'
import { FakeClock } from '../support/fake-clock.ts'

const RUN = fileURLToPath(new URL('fixtures/run.mjs', import.meta.url))

/** The clock of a test, and a file that tells its run processes what it shows. */
class SharedClock extends FakeClock {
  readonly file: string

  constructor(start: string, file: string) {
    super(start)
    this.file = file
    this.#write(0)
  }

  override async advance(ms: number): Promise<void> {
    this.#write(ms)
    await super.advance(ms)
  }

  override jump(ms: number): void {
    super.jump(ms)
    this.#write(0)
  }

  #write(aheadMs: number): void {
    writeFileSync(this.file, new Date(this.now().getTime() + aheadMs).toISOString())
  }
}

export let folder: string
export let clock: SharedClock
let lines: Record<string, unknown>[]
export let agent: Agent
export let base: string
let next: LoadedConfig

/** A folder, a clock and what is logged, new for each test of the file that calls it; the agent ends with the test. */
export function useAgent(): void {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'agent-'))
    await mkdir(join(folder, 'nas'))
    clock = new SharedClock('2026-11-24T00:00:00Z', join(folder, 'clock'))
    lines = []
  })

  afterEach(async () => {
    await agent.stop()
    expect(clock.sleepers).toBe(0)
    await rm(folder, { recursive: true })
  })
}

/** What the next reload finds. */
export function reloadFinds(loaded: LoadedConfig): void {
  next = loaded
}

export function location(name: string, changes: { validate?: boolean } = {}): LocationConfig {
  return { name, storageProvider: 'filesystem', path: join(folder, name), folder: '', validate: true, ...changes }
}

export function config(policies: readonly PolicyConfig[] = [nightly], changes: Partial<Config> = {}): Config {
  return testConfig({ locations: [location('nas')], policies, ...changes })
}

export const nightly = testPolicy({ name: 'nightly', backupLocations: ['nas'] })
export const slow = testPolicy({ name: 'slow', backupLocations: ['nas'] })

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

export async function start(initial: Config = config(), { drainMs = 0 } = {}): Promise<void> {
  const silent = { isTerminal: false, write: () => undefined }
  agent = new Agent(
    {
      configFile: '/etc/palette-backup/palette-backup.yaml',
      host: '127.0.0.1',
      port: 0,
      runCommand: [process.execPath, RUN, clock.file],
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

export const BAD = {
  severity: 'error' as const,
  summary: 'Unsupported attribute',
  detail: 'No.',
  path: ['provider', 'x'],
}

export async function ask(path: string, method = 'GET', body?: string) {
  const response = await fetch(`${base}${path}`, { method, ...(body === undefined ? {} : { body }) })
  return { status: response.status, json: JSON.parse(await response.text()) }
}

export async function sample(series: string): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`palette_backup_${series} `))
  return line === undefined ? Number.NaN : Number(line.split(' ').at(-1))
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(5)
}

export const logged = (msg: string) => lines.filter((line) => line['msg'] === msg)
export const catalogRead = () => until(async () => (await sample('location_up{location="nas"}')) === 1)
export const store = (policy: string, startedAt: string) => writeFile(join(folder, 'nas', policy), `${startedAt}\n`)
