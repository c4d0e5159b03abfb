import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type AgentOptions, AgentProcess, runCommand } from '../support/agent-process.ts'
import { configurationText, folderText } from '../support/configuration-text.ts'
import { filesBelow } from '../support/files-below.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { seedStore } from '../support/mongodb/palette-load.ts'
import { type MongodbDouble, startMongodb } from '../support/mongodb/server.ts'
import { isAlive } from '../support/processes.ts'
import { until } from '../support/until.ts'

let folder: string
let stored: string
let source: MongodbDouble
let options: AgentOptions

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'surroundings-'))
  stored = join(folder, 'backups/prod/nightly')
  await mkdir(join(folder, 'backups'))
  source = await startMongodb()
  seedStore(source.store, paletteCollections({ bytes: 100_000, collections: 3, documents: 50 }), { prepared: true })
  const configFile = join(folder, 'palette-backup.yaml')
  const path = join(folder, 'backups')
  await writeFile(
    configFile,
    configurationText({
      clusterName: 'prod',
      uriEnv: 'MONGODB_URI',
      locations: [folderText('folder', path)],
      policy: 'nightly',
      policyLocations: ['folder'],
      attributes: ['schedule: "0 0 1 1 *"', 'retention_period: 400', 'catch_up: false'],
    }),
  )
  options = { configFile, env: { MONGODB_URI: source.uri } }
})

afterEach(async () => {
  await source.stop()
  await rm(folder, { recursive: true })
})

const pair = '{policy="nightly",location="folder"}'

async function backup(agent: AgentProcess): Promise<string> {
  const reply = await fetch(`${agent.url}/backups?policy=nightly`, { method: 'POST' })
  const { runId } = JSON.parse(await reply.text())
  return runId
}

async function runOf(agent: AgentProcess, runId: string) {
  return JSON.parse(await (await fetch(`${agent.url}/runs/${runId}`)).text())
}

async function endOf(agent: AgentProcess, runId: string) {
  await until(`the end of ${runId}`, 60_000, async () => (await runOf(agent, runId)).result !== undefined)
  return await runOf(agent, runId)
}

async function catalogRead(agent: AgentProcess): Promise<void> {
  await until('the catalog', 30_000, async () => {
    return ((await agent.metric(`palette_backup_catalog_read_timestamp_seconds${pair}`)) ?? 0) > 0
  })
}

/** Ids of what is listed, oldest first. */
async function backupIds(): Promise<string[]> {
  const names = (await readdir(stored)).filter((name) => name.endsWith('.manifest.json'))
  return names.map((name) => name.replace('.manifest.json', '')).sort()
}

describe('the agent needs no disk of its own', () => {
  it.each([
    ['is full', '/dev/full'],
    ['is not there', '/nowhere/at/all'],
  ])('when the folder for temporary files %s, all goes on', async (_what, TMPDIR) => {
    await using agent = await AgentProcess.start({ ...options, env: { ...options.env, TMPDIR, HOME: '/nowhere' } })
    expect(await endOf(agent, await backup(agent))).toMatchObject({ result: 'success' })
    expect(await agent.metric(`palette_backup_retained_backups${pair}`)).toBe(1)
  })
})

describe('what lies damaged in a location when the agent starts', () => {
  it('makes nothing else unknown, is never taken for good, and is not deleted', async () => {
    for (let count = 0; count < 3; count += 1) {
      expect(await runCommand(options, ['backup', 'nightly'])).toMatchObject({ code: 0 })
    }
    const [oldest = '', middle = '', newest = ''] = await backupIds()
    await truncate(join(stored, `${newest}.manifest.json`), 100)
    await writeFile(join(stored, `${middle}.verified.json`), Buffer.from([0, 255, 0, 254]))
    await writeFile(join(stored, `${oldest}.pin`), '')
    const runs = join(folder, 'backups/prod/.runs')
    await mkdir(runs, { recursive: true })
    await writeFile(join(runs, 'truncated.json'), '{"format_version": 1, "run_id": "trunc')
    await writeFile(join(runs, 'binary.json'), Buffer.from([0x1f, 0x8b, 0, 0, 0xff, 0xfe]))
    await writeFile(join(runs, 'empty.json'), '')
    const before = (await filesBelow(join(folder, 'backups'))).sort()

    await using agent = await AgentProcess.start(options)
    await catalogRead(agent)
    expect(await agent.metric(`palette_backup_retained_backups${pair}`)).toBe(3)
    expect(await agent.metric('palette_backup_location_up{location="folder"}')).toBe(1)
    const run = await endOf(agent, await backup(agent))
    expect(run).toMatchObject({ result: 'success' })
    for (const name of ['truncated', 'binary', 'empty']) {
      expect(run.warnings.join('\n')).toContain(`${name}.json in folder is not a record this program can read`)
    }
    expect(await agent.metric('palette_backup_sweep_failures_total{location="folder"}')).toBe(3)
    const after = await filesBelow(join(folder, 'backups'))
    expect(before.filter((file) => !after.includes(file))).toEqual([])

    const verified = await runCommand(options, ['verify', 'all', '--level', 'stored', '--json'])
    expect(verified.code).toBe(1)
    const shown = await runCommand(options, ['list', '--json'])
    const { backups } = JSON.parse(shown.stdout)
    expect(backups).toContainEqual(expect.objectContaining({ backupId: newest, damaged: true }))
    expect(backups.filter(({ damaged }: { damaged?: boolean }) => damaged)).toHaveLength(1)
  })

  it('a location that nothing can be written to: it is down, the run fails for that, and what is there is known', async () => {
    expect(await runCommand(options, ['backup', 'nightly'])).toMatchObject({ code: 0 })
    await using agent = await AgentProcess.start(options)
    await catalogRead(agent)
    await rm(join(folder, 'backups/prod/.runs'), { recursive: true, force: true })
    // Root may write everywhere: where a file is, nobody can make a folder.
    await writeFile(join(folder, 'backups/prod/.runs'), '')
    const run = await endOf(agent, await backup(agent))
    expect(run).toMatchObject({ result: 'failed', locations: [{ location: 'folder' }] })
    expect(await agent.metric('palette_backup_location_up{location="folder"}')).toBe(0)
    expect(await agent.metric(`palette_backup_retained_backups${pair}`)).toBe(1)
    expect(await agent.metric(`palette_backup_last_success_timestamp_seconds${pair}`)).toBeGreaterThan(0)
    await rm(join(folder, 'backups/prod/.runs'))
    expect(await endOf(agent, await backup(agent))).toMatchObject({ result: 'success' })
    expect(await agent.metric('palette_backup_location_up{location="folder"}')).toBe(1)
  })
})

describe('SIGTERM', () => {
  async function held(args: readonly string[] = []): Promise<AgentProcess> {
    source.faults.add({ command: 'find', action: { kind: 'stall' }, times: Number.POSITIVE_INFINITY })
    const agent = await AgentProcess.start(options, args)
    const runId = await backup(agent)
    await until('the run to read', 30_000, async () => (await runOf(agent, runId)).stage === 'read')
    return agent
  }

  async function expectNothingLeft(agent: AgentProcess): Promise<void> {
    expect(isAlive(agent.pid)).toBe(false)
    expect(await filesBelow(join(folder, 'backups'))).toEqual([])
    expect(agent.log.filter(({ msg }) => msg === 'run finished')).toMatchObject([{ result: 'cancelled' }])
  }

  it('waits for a run, and is not ready meanwhile; a second one ends the run in order', async () => {
    const agent = await held(['--drain', '10m'])
    process.kill(agent.pid, 'SIGTERM')
    await until('readiness to drop', 10_000, async () => (await fetch(`${agent.url}/readyz`)).status === 503)
    expect((await fetch(`${agent.url}/healthz`)).status).toBe(200)
    expect(agent.log.some(({ msg }) => msg === 'run finished')).toBe(false)
    expect(await agent.stop()).toBe(0)
    await expectNothingLeft(agent)
  })

  it('ends a run in order when the time that it has is over', async () => {
    const agent = await held(['--drain', '1s'])
    expect(await agent.stop()).toBe(0)
    await expectNothingLeft(agent)
  })

  it('lets a run that gets on end well', async () => {
    const agent = await held(['--drain', '10m'])
    const stopped = agent.stop()
    await until('readiness to drop', 10_000, async () => (await fetch(`${agent.url}/readyz`)).status === 503)
    source.faults.clear()
    expect(await stopped).toBe(0)
    expect(agent.log.filter(({ msg }) => msg === 'run finished')).toMatchObject([{ result: 'success' }])
    expect(await backupIds()).toHaveLength(1)
    expect(JSON.parse(await readFile(join(stored, `${(await backupIds())[0]}.manifest.json`), 'utf8'))).toBeTruthy()
  })
})
