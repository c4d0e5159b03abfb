import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBackupId } from '../../agent/backup/backup-id.ts'
import { HOUR_MS, SECOND_MS } from '../../agent/core/units.ts'
import { startBenchAgent } from './agent.ts'
import { median, residentMib } from './measure.ts'

const BACKUPS = 10_000
const SCRAPES = 50
const SETTLE_MS = 20 * SECOND_MS

export interface AgentBenchResult {
  /** From the start of the process until it answers `/readyz` with 200. */
  readonly agent_ready_seconds: number
  /** Median of scrapes with 10,000 backups in the catalog. */
  readonly agent_metrics_ms: number
  /** Resident memory with that catalog, after it has settled. */
  readonly agent_rss_mib_with_10000_backups: number
}

/** The agent as it ships (`main` is the entry file of the bundle) beside a folder that holds 10,000 backups. */
export async function benchAgent(main: string): Promise<AgentBenchResult> {
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-bench-agent-'))
  const configFile = join(folder, 'agent.yaml')
  await storeBackups(join(folder, 'backups/bench/hourly'))
  await writeFile(configFile, configuration(join(folder, 'backups')))
  const startedMs = performance.now()
  const agent = await startBenchAgent(main, configFile)
  try {
    const { url, pid } = agent
    if ((await fetch(`${url}/readyz`)).status !== 200) throw new Error('the agent listens and is not ready')
    const readySeconds = (performance.now() - startedMs) / 1000
    const held = `palette_backup_retained_backups{policy="hourly",location="folder"} ${BACKUPS}`
    while (!(await scrape(url)).text.includes(held)) await sleep(100)
    const times: number[] = []
    for (let count = 0; count < SCRAPES; count += 1) times.push((await scrape(url)).ms)
    await sleep(SETTLE_MS)
    return {
      agent_ready_seconds: round(readySeconds),
      agent_metrics_ms: round(median(times)),
      agent_rss_mib_with_10000_backups: round(residentMib(pid)),
    }
  } finally {
    await agent[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}

async function scrape(url: string): Promise<{ readonly text: string; readonly ms: number }> {
  const startedMs = performance.now()
  const text = await (await fetch(`${url}/metrics`)).text()
  return { text, ms: performance.now() - startedMs }
}

/** What is listed are names: that no manifest can be read leaves its details out, and nothing else. */
async function storeBackups(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const newest = Date.parse('2026-01-01T00:00:00Z')
  for (let index = 0; index < BACKUPS; index += 1) {
    await writeFile(join(folder, `${createBackupId(new Date(newest - index * HOUR_MS))}.manifest.json`), '{}')
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function configuration(path: string): string {
  return `version: 1
provider:
  palette:
    cluster_name: bench
    mongodb: { uri: "mongodb://127.0.0.1:1" }
resource:
  backup_storage_location:
    folder: { storage_provider: filesystem, filesystem: { path: ${path} } }
  backup_policy:
    hourly:
      backup_locations: [folder]
      schedule: "0 0 1 1 *"
      catch_up: false
      retention_period: 3650
      allow_cleartext: true
`
}
