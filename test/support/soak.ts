import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Agent } from '../../agent/commands/agent-process.ts'
import type { Config, PolicyConfig } from '../../agent/config/config.ts'
import { silentLogger } from '../../agent/core/log.ts'
import { Secret } from '../../agent/core/secret.ts'
import { DAY_MS, HOUR_MS, SECOND_MS } from '../../agent/core/units.ts'
import type { RunList } from '../../agent/http/agent-view.ts'
import type { RunRecord } from '../../agent/runs/run-history.ts'
import { testConfig, testPolicy } from '../runs/test-config.ts'
import { COMPILED } from './agent-process.ts'
import { FakeClock } from './fake-clock.ts'
import { paletteCollections } from './mongodb/palette-data.ts'
import { seedStore } from './mongodb/palette-load.ts'
import { startMongodb } from './mongodb/server.ts'
import { ShiftedClock } from './shifted-clock.ts'

const MAIN = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
/** Long ago: a run whose clock is ahead of the files' own times would rightly delete nothing. */
const START = new Date('2020-02-27T00:00:00Z')

export interface SoakNight {
  readonly run: RunRecord
  /** Of this process, which is the agent. */
  readonly heapBytes: number
  readonly descriptors: number
}

export interface SoakOptions {
  readonly nights: number
  readonly policy?: Partial<PolicyConfig>
  /** Called before each night, with the folder of the location. */
  readonly disturb?: (night: number, folder: string) => Promise<void>
}

export interface SoakResult {
  readonly nights: readonly SoakNight[]
  /** Names of the manifests that are left, oldest first. */
  readonly manifests: readonly string[]
  /** Files that belong to no backup. */
  readonly leftovers: readonly string[]
  metric(series: string): Promise<number>
  close(): Promise<void>
}

/**
 * The agent in this process with a clock that jumps from one due time to the next, and real run processes, which take
 * the same time for now: each backs up a small database (a double) to a real folder, verifies, and applies retention.
 */
export async function soak({ nights, policy = {}, disturb }: SoakOptions): Promise<SoakResult> {
  const folder = await mkdtemp(join(tmpdir(), 'soak-'))
  const location = join(folder, 'backups')
  await mkdir(location)
  const mongodb = await startMongodb({})
  seedStore(mongodb.store, paletteCollections({ bytes: 200_000, collections: 6, documents: 100 }), { prepared: true })
  const clock = new FakeClock(START.toISOString())
  const shifted = new ShiftedClock(folder)
  const agent = createAgent(configOf(mongodb.uri, location, policy), clock, shifted)
  await agent.start()
  const base = `http://127.0.0.1:${agent.port}`
  const runs = async (): Promise<RunList> => JSON.parse(await (await fetch(`${base}/runs`)).text())
  const idle = async (): Promise<void> => {
    while ((await runs()).active.length > 0) await delay(10)
  }
  const done: SoakNight[] = []
  await idle()
  for (let night = 0; night < nights; night += 1) {
    // As if the machine slept until just before the next due time: nothing that measures how long a run takes moves.
    clock.jump(START.getTime() + night * DAY_MS + 2 * HOUR_MS - 10 * SECOND_MS - clock.now().getTime())
    shifted.setTo(new Date(clock.now().getTime() + 20 * SECOND_MS))
    await disturb?.(night, location)
    await clock.advance(30 * SECOND_MS)
    await idle()
    const run = (await runs()).recent.find(({ kind }) => kind === 'backup')
    if (!run) throw new Error('no run was started')
    done.push({ run, ...(await footprint()) })
  }
  const entries = await readdir(join(location, 'soak'), { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${basename(parentPath)}/${name}`)
  const manifests = files.filter((file) => file.endsWith('.manifest.json')).sort()
  const ids = manifests.map((file) => file.replace(/^.*\/|\.manifest\.json$/g, ''))
  return {
    nights: done,
    manifests,
    leftovers: files.filter((file) => !ids.some((id) => file.includes(id))),
    async metric(series) {
      const text = await (await fetch(`${base}/metrics`)).text()
      const line = text.split('\n').find((one) => one.startsWith(`palette_backup_${series} `))
      return Number(line?.split(' ').at(-1))
    },
    async close() {
      await agent.stop()
      await mongodb.stop()
      await rm(folder, { recursive: true })
    },
  }
}

function configOf(uri: string, path: string, policy: Partial<PolicyConfig>): Config {
  return testConfig({
    palette: { ...testConfig().palette, clusterName: 'soak', mongodb: { uri: new Secret(uri) } },
    locations: [{ name: 'folder', storageProvider: 'filesystem', path, folder: '', validate: false }],
    policies: [testPolicy({ name: 'nightly', backupLocations: ['folder'], ...policy })],
  })
}

function createAgent(config: Config, clock: FakeClock, shifted: ShiftedClock): Agent {
  const silent = { isTerminal: false, write: () => undefined }
  return new Agent(
    {
      configFile: 'soak.yaml',
      host: '127.0.0.1',
      port: 0,
      drainMs: 0,
      runCommand: [process.execPath, MAIN, 'run'],
      initial: { config, diagnostics: [] },
      loadText: async () => ({ diagnostics: [] }),
      createReloading: () => ({
        start: async () => undefined,
        stop: async () => undefined,
        reload: async () => ({ at: START.toISOString(), outcome: 'unchanged', diagnostics: [] }),
      }),
    },
    {
      env: { ...process.env, NODE_COMPILE_CACHE: COMPILED, ...shifted.env },
      clock,
      logger: silentLogger,
      signal: new AbortController().signal,
      toolVersion: '0.0.0',
      stdout: silent,
      stderr: silent,
      readLine: async () => undefined,
    },
  )
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** What is left once everything that nobody holds any more is gone: else the engine's own timing would be measured. */
async function footprint(): Promise<Pick<SoakNight, 'heapBytes' | 'descriptors'>> {
  collectGarbage()
  return { heapBytes: process.memoryUsage().heapUsed, descriptors: (await readdir('/proc/self/fd')).length }
}
