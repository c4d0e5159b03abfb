import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { AgentProcess } from '../support/agent-process.ts'
import { configurationText } from '../support/configuration-text.ts'
import { type LoadRequest, loadAgent } from '../support/load.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { seedStore } from '../support/mongodb/palette-load.ts'
import { startMongodb } from '../support/mongodb/server.ts'

const AT_ONCE = 100

/** Nearly half of the requests are scrapes. */
const REQUESTS: readonly LoadRequest[] = [
  { path: '/metrics' },
  { path: '/healthz' },
  { path: '/metrics' },
  { path: '/status' },
  { path: '/metrics' },
  { path: '/runs' },
  { path: '/metrics' },
  { path: '/backups?policy=nightly' },
  { path: '/metrics' },
  { method: 'POST', path: '/backups?policy=nightly' },
]

it(`${AT_ONCE} scrapes and API calls at once, again and again while a backup runs: all are answered, and the run gets through`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'load-'))
  await mkdir(join(folder, 'backups'))
  await using source = await startMongodb()
  seedStore(source.store, paletteCollections({ bytes: 60_000_000 }), { prepared: true })
  const configFile = join(folder, 'palette-backup.yaml')
  const path = join(folder, 'backups')
  const text = configurationText({
    clusterName: 'prod',
    uriEnv: 'MONGODB_URI',
    locations: [`    folder: { storage_provider: filesystem, validate: false, filesystem: { path: ${path} } }\n`],
    policy: 'nightly',
    policyLocations: ['folder'],
    attributes: ['schedule: "0 0 1 1 *"', 'retention_period: 400', 'max_bytes_per_second: 20000000'],
  })
  await writeFile(configFile, text)
  await using agent = await AgentProcess.start({ configFile, env: { MONGODB_URI: source.uri } })
  const ask = async (path: string, method = 'GET') =>
    JSON.parse(await (await fetch(`${agent.url}${path}`, { method })).text())

  const { runId } = await ask('/backups?policy=nightly', 'POST')
  const ended = new AbortController()
  const loaded = loadAgent({
    ...{ url: agent.url, atOnce: AT_ONCE, everyMs: 1000, signal: ended.signal },
    requests: [...REQUESTS, { path: `/runs/${runId}` }, { method: 'POST', path: '/plan', body: text }],
  })
  let seen = 0
  while ((await ask(`/runs/${runId}`)).result === undefined) {
    seen += 1
    await sleep(100)
  }
  ended.abort()
  const { answers, broken, times } = await loaded

  expect(broken).toEqual([])
  const statuses = [...answers.keys()].map((name) => name.slice(name.lastIndexOf(' ') + 1))
  expect([...new Set(statuses)].sort()).toEqual(['200', '202'])
  expect([...new Set([...answers.keys()].map((name) => name.split(' ')[1]))]).toHaveLength(7)
  expect(times.length).toBeGreaterThan(2 * AT_ONCE)
  expect(seen).toBeGreaterThan(10)
  expect(await ask(`/runs/${runId}`)).toMatchObject({ result: 'success' })
  await agent.stop()
  await rm(folder, { recursive: true })
}, 120_000)
