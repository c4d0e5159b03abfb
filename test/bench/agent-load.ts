import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { configurationText, folderText } from '../support/configuration-text.ts'
import { type LoadRequest, loadAgent } from '../support/load.ts'
import { type BenchAgent, startBenchAgent } from './agent.ts'
import { median } from './measure.ts'

export interface LoadBenchResult {
  /** Throughput of runs while 100 scrapes and API calls at once come every second, as a share of that without them. */
  readonly run_throughput_under_load: number
  /** Median of the times in which these had their answers. */
  readonly load_answer_ms: number
  /** Requests without a good answer. */
  readonly load_errors: number
}

export interface LoadBenchOptions {
  /** The entry file of the bundle. */
  readonly main: string
  /** Of the MongoDB that is backed up. */
  readonly uri: string
  readonly rounds: number
}

const AT_ONCE = 100
const EVERY_MS = 1000
const REQUESTS: readonly LoadRequest[] = [
  { path: '/metrics' },
  { path: '/status' },
  { path: '/metrics' },
  { path: '/runs' },
  { path: '/metrics' },
  { path: '/backups' },
  { path: '/metrics' },
  { path: '/healthz' },
]

/** Runs to a folder, with and without the load by turns: what else the machine does meets both alike. */
export async function benchLoad({ main, uri, rounds }: LoadBenchOptions): Promise<LoadBenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-bench-load-'))
  await mkdir(join(folder, 'backups'))
  const configFile = join(folder, 'agent.yaml')
  await writeFile(configFile, configuration(join(folder, 'backups')))
  const agent = await startBenchAgent(main, configFile, { BENCH_URI: uri })
  try {
    // The first run warms up the source and the page cache.
    await bytesPerSecond(agent)
    const alone: number[] = []
    const loaded: number[] = []
    const times: number[] = []
    let errors = 0
    for (let round = 0; round < rounds; round += 1) {
      alone.push(await bytesPerSecond(agent))
      const over = new AbortController()
      const load = loadAgent({
        ...{ url: agent.url, requests: REQUESTS, atOnce: AT_ONCE, everyMs: EVERY_MS, signal: over.signal },
      })
      loaded.push(await bytesPerSecond(agent))
      over.abort()
      const { answers, broken, times: took } = await load
      times.push(...took)
      const good = [...answers].filter(([name]) => name.endsWith(' 200'))
      errors += broken.length + took.length - good.reduce((sum, [, count]) => sum + count, 0)
    }
    return {
      run_throughput_under_load: round(median(loaded) / median(alone)),
      load_answer_ms: round(median(times)),
      load_errors: errors,
    }
  } finally {
    await agent[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  }
}

async function bytesPerSecond({ url }: BenchAgent): Promise<number> {
  const { runId } = await ask(`${url}/backups?policy=load`, 'POST')
  for (;;) {
    const run = await ask(`${url}/runs/${runId}`)
    if (run.result === undefined) {
      await sleep(100)
      continue
    }
    if (run.result !== 'success') throw new Error(`a run ended with ${JSON.stringify(run.failure ?? run.result)}`)
    const tookMs = Date.parse(run.finishedAt) - Date.parse(run.startedAt)
    return run.sourceBytes / (tookMs / 1000)
  }
}

async function ask(url: string, method = 'GET') {
  return JSON.parse(await (await fetch(url, { method })).text())
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function configuration(path: string): string {
  return configurationText({
    clusterName: 'bench',
    uriEnv: 'BENCH_URI',
    locations: [folderText('folder', path)],
    policy: 'load',
    policyLocations: ['folder'],
    attributes: ['schedule: "0 0 1 1 *"', 'retention_period: 400', 'keep_minimum: 1'],
  })
}
