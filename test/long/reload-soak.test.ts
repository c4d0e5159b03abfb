import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Agent } from '../../agent/commands/agent-process.ts'
import { loadConfig, readConfigFile } from '../../agent/config/load.ts'
import { Reloader } from '../../agent/config/reloader.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { until } from '../support/until.ts'

const RUN = fileURLToPath(new URL('../commands/fixtures/run.mjs', import.meta.url))

const RELOADS = 2000

let folder: string
let file: string
let agent: Agent
let port: number | undefined
const env = { PATH: process.env['PATH'], MONGODB_URI: 'mongodb://h' }

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reload-soak-'))
  file = join(folder, 'palette-backup.yaml')
  await mkdir(join(folder, 'nas'))
  await writeFile(join(folder, 'token'), 'one')
  await writeFile(file, good(1))
  const load = () => readConfigFile(file, env)
  const { config, diagnostics, files } = await load()
  if (!config) throw new Error(JSON.stringify(diagnostics))
  const silent = { isTerminal: false, write: () => undefined }
  agent = new Agent(
    {
      configFile: file,
      host: '127.0.0.1',
      port: 0,
      runCommand: [process.execPath, RUN],
      initial: { config, diagnostics },
      loadText: (text) => loadConfig(text, { file, env }),
      createReloading: (hooks) => new Reloader({ ...hooks, clock: systemClock, load, files }),
    },
    {
      env,
      clock: systemClock,
      logger: pino({ level: 'info' }, { write: notePort }),
      signal: new AbortController().signal,
      toolVersion: '1.2.3',
      stdout: silent,
      stderr: silent,
      readLine: async () => undefined,
    },
  )
  await agent.start()
})

afterAll(async () => {
  await agent.stop()
  await rm(folder, { recursive: true })
})

it(`after ${RELOADS} reloads, good and bad ones, while runs go on, nothing has grown and each was counted once`, async () => {
  const stopped = new AbortController()
  const backups = makeBackups(stopped.signal)
  await turn(300)
  const before = await usage()
  const counted = await reloads()
  const counts = await turn(RELOADS)
  stopped.abort()
  await backups
  expect(counts.applied + counts.refused + counts.unchanged).toBe(RELOADS)
  expect(counts.refused).toBe(RELOADS / 4)
  expect(counts.applied).toBe(RELOADS / 2)
  await until('the backups', 60_000, async () => (await sample('runs_total{policy="nightly",result="success"}')) > 1)
  await until('what the watcher has to say', 30_000, async () => {
    const now = await reloads()
    return now.applied === counted.applied + counts.applied && now.refused === counted.refused + counts.refused
  })
  await until('no more than before', 60_000, async () => {
    const after = await usage()
    return (
      after.descriptors <= before.descriptors + 4 &&
      after.resources <= before.resources + 4 &&
      after.heapMib <= before.heapMib + 5
    )
  })
}, 300_000)

/** Policies come and go, locations change, and a secret does, too. */
function good(index: number): string {
  return `version: 1
provider: { palette: { cluster_name: lab, mongodb: { uri: { $env: MONGODB_URI } } } }
resource:
  backup_storage_location:
    nas: { storage_provider: filesystem, validate: false, filesystem: { path: ${join(folder, 'nas')} } }
    ftp${index % 3}:
      storage_provider: ftp
      validate: false
      ftp: { server: 127.0.0.1:9, username: backup, password: { $file: token } }
  backup_policy:
    nightly: { backup_locations: [nas], schedule: "0 2 * * *", catch_up: false, retention_period: 400, keep_minimum: ${1 + (index % 9)}, allow_cleartext: true }
    extra${index % 5}: { backup_locations: [nas], interval: 1, hours_of_day: [${index % 24}], catch_up: false, retention_period: 14, allow_cleartext: true }
`
}

/** Good, broken and unchanged files in turn; how many of them were applied and refused. */
async function turn(times: number): Promise<Record<'applied' | 'refused' | 'unchanged', number>> {
  const text = good(0)
  const broken = [
    'version: [',
    'version: 1\n',
    text.replace('keep_minimum', 'keep_minimun'),
    text.replace('[nas]', '[non]'),
  ]
  const counts = { applied: 0, refused: 0, unchanged: 0 }
  for (let index = 0; index < times; index += 1) {
    if (index % 4 === 0) await writeFile(file, broken[(index / 4) % broken.length] ?? '')
    if (index % 4 === 1 || index % 4 === 2) await writeFile(file, good(index))
    if (index % 50 === 2) await writeFile(join(folder, 'token'), String(index))
    counts[(await agent.reload()).outcome] += 1
  }
  return counts
}

function notePort(line: string): void {
  const logged: unknown = JSON.parse(line).port
  if (typeof logged === 'number') port = logged
}

/** One after another, as long as it is wanted: while one is under way, asking for another starts none. */
async function makeBackups(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await fetch(`http://127.0.0.1:${port}/backups?policy=nightly`, { method: 'POST' })
    await sleep(250)
  }
}

async function reloads(): Promise<{ applied: number; refused: number }> {
  return {
    applied: await sample('config_reloads_total{result="applied"}'),
    refused: await sample('config_reloads_total{result="refused"}'),
  }
}

async function usage(): Promise<{ descriptors: number; resources: number; heapMib: number }> {
  collectGarbage()
  return {
    descriptors: (await readdir('/proc/self/fd')).length,
    resources: process.getActiveResourcesInfo().filter((kind) => kind !== 'CloseReq').length,
    heapMib: process.memoryUsage().heapUsed / 1024 / 1024,
  }
}

function collectGarbage(): void {
  setFlagsFromString('--expose_gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
}

async function sample(series: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`palette_backup_${series} `))
  return line === undefined ? Number.NaN : Number(line.split(' ').at(-1))
}
