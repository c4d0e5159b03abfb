import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { loadCollections } from '../support/mongodb/palette-load.ts'
import { isAlive, sendIfAlive } from '../support/processes.ts'
import { ShiftedClock } from '../support/shifted-clock.ts'
import { until } from '../support/until.ts'
import { runProcessOf } from './servers/children.ts'
import { type FerretDb, startFerretDb } from './servers/ferretdb.ts'
import { type Minio, startMinio } from './servers/minio.ts'
import { peersMissing } from './servers/peer.ts'

const DAY_MS = 86_400_000
const LOCATIONS = ['offsite', 'folder'] as const

interface Listed {
  readonly backupId: string
  readonly location: string
  readonly complete: boolean
}

/**
 * What a service meets in two years, one after the other on one running agent. After each fault the same must hold:
 * every listed backup is whole, the newest good one is there, the metrics say what the locations hold, and the next run
 * succeeds.
 */
describe.skipIf(peersMissing('ferretdb', 'minio'))('an agent among faults', () => {
  let source: FerretDb
  let minio: Minio
  let folder: string
  let clock: ShiftedClock
  let options: { readonly configFile: string; readonly env: Record<string, string> }
  let agent: AgentProcess

  beforeAll(async () => {
    ;[source, minio] = await Promise.all([startFerretDb(), startMinio()])
    const client = new MongoClient(source.uri)
    await loadCollections(client, paletteCollections({ bytes: 20_000_000, collections: 12, documents: 6000 }))
    await client.close()
    folder = await mkdtemp(join(tmpdir(), 'agent-faults-'))
    await mkdir(join(folder, 'backups'))
    clock = new ShiftedClock(folder)
    options = {
      configFile: join(folder, 'palette-backup.yaml'),
      env: { MONGODB_URI: source.uri, S3_ACCESS: minio.accessKey, S3_SECRET: minio.secretKey, ...clock.env },
    }
    await configure(512)
    agent = await AgentProcess.start(options)
  })

  afterAll(async () => {
    await agent?.stop()
    await Promise.all([source?.stop(), minio?.[Symbol.asyncDispose]()])
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  async function configure(memoryLimit: number): Promise<void> {
    await writeFile(options.configFile, configuration(minio, join(folder, 'backups'), memoryLimit))
  }

  async function ask(path: string, method = 'GET') {
    const reply = await fetch(`${agent.url}${path}`, { method })
    return JSON.parse(await reply.text())
  }

  async function startRun(): Promise<string> {
    return (await ask('/backups?policy=nightly', 'POST')).runId
  }

  async function endOf(runId: string) {
    await until(`the end of run ${runId}`, 120_000, async () => (await ask(`/runs/${runId}`)).result !== undefined, 50)
    return await ask(`/runs/${runId}`)
  }

  const metric = (name: string, location: string) =>
    agent.metric(`palette_backup_${name}{policy="nightly",location="${location}"}`)

  async function list(): Promise<readonly Listed[]> {
    const listed = await runCommand(options, ['list', '--json'])
    expect(listed).toMatchObject({ code: 0 })
    return JSON.parse(listed.stdout).backups
  }

  /** What must hold after every fault. */
  async function expectAllIsWell(): Promise<void> {
    const before = await list()
    const run = await endOf(await startRun())
    expect(run, JSON.stringify(run)).toMatchObject({ result: 'success' })
    const after = await list()
    for (const { backupId, location } of before) {
      expect(after).toContainEqual(expect.objectContaining({ backupId, location }))
    }
    expect(await runCommand(options, ['verify', 'all', '--level', 'stored'])).toMatchObject({ code: 0 })
    for (const location of LOCATIONS) {
      const here = after.filter((one) => one.location === location)
      expect(await metric('retained_backups', location)).toBe(here.length)
      const newest =
        here
          .map(({ backupId }) => backupId)
          .toSorted()
          .at(-1) ?? ''
      expect(await metric('last_success_timestamp_seconds', location)).toBe(timeOf(newest) / 1000)
      expect(await agent.metric(`palette_backup_location_up{location="${location}"}`)).toBe(1)
    }
    expect(await minio.incompleteUploads()).toEqual([])
    const ids = after.map(({ backupId }) => backupId)
    expect((await minio.objects()).filter((key) => !ids.some((id) => key.includes(id)))).toEqual([])
  }

  it('starts well', expectAllIsWell)

  it.each(['prepare', 'read', 'verify', 'commit', 'retention'])(
    'kill -9 of a run, seen in or after its stage "%s"',
    async (stage) => {
      const failed = 'palette_backup_runs_total{policy="nightly",result="failed"}'
      const failures = (await agent.metric(failed)) ?? 0
      const runId = await startRun()
      await until(
        `the stage ${stage}`,
        60_000,
        async () => {
          const run = await ask(`/runs/${runId}`)
          return run.stage === stage || run.result !== undefined
        },
        2,
      )
      const pid = await runProcessOf(agent.pid).catch(() => undefined)
      if (pid !== undefined) sendIfAlive(pid, 'SIGKILL')
      const run = await endOf(runId)
      // The stages at the end are short: the run may have got through before the kill.
      if (run.result === 'failed') {
        expect(run.failure.message).toContain('SIGKILL')
        expect(await agent.metric(failed)).toBe(failures + 1)
        expect(run.peakMemoryBytes).toBeGreaterThan(30_000_000)
      } else expect(run.result).toBe('success')
      if (stage === 'read') expect(run.result).toBe('failed')
      await expectAllIsWell()
    },
  )

  it('a run over its memory limit fails for that, and the agent lives', async () => {
    await configure(128)
    await until('the limit', 20_000, async () => (await ask('/-/reload', 'POST')).outcome !== undefined)
    const run = await endOf(await startRun())
    expect(run).toMatchObject({ result: 'failed', failure: { code: 'limit' } })
    expect(run.failure.message).toContain('memory')
    expect(await agent.metric('palette_backup_run_memory_bytes{policy="nightly"}')).toBeGreaterThan(128 * 1024 * 1024)
    await configure(512)
    await ask('/-/reload', 'POST')
    await expectAllIsWell()
  })

  it('a run that hangs is cancelled over HTTP', async () => {
    const runId = await startRun()
    await until('the run', 20_000, async () => (await ask(`/runs/${runId}`)).stage !== undefined, 2)
    process.kill(await runProcessOf(agent.pid), 'SIGSTOP')
    await ask(`/runs/${runId}`, 'DELETE')
    expect(await endOf(runId)).toMatchObject({ result: 'cancelled' })
    await expectAllIsWell()
  })

  it('kill -9 of the agent in the middle of a run: no process outlives it, and its metrics come back', async () => {
    const runId = await startRun()
    await until('the stage read', 20_000, async () => (await ask(`/runs/${runId}`)).stage === 'read', 2)
    const child = await runProcessOf(agent.pid)
    process.kill(agent.pid, 'SIGKILL')
    await until('the end of the run process', 60_000, async () => !isAlive(child))
    agent = await AgentProcess.start(options)
    await until('both catalogs', 30_000, async () => {
      const read = await Promise.all(LOCATIONS.map((location) => metric('catalog_read_timestamp_seconds', location)))
      return read.every((time) => (time ?? 0) > 0)
    })
    await expectAllIsWell()
  })

  it('a location that goes and comes back', async () => {
    const before = (await metric('last_success_timestamp_seconds', 'offsite')) ?? 0
    await minio.stop('SIGKILL')
    await rename(join(folder, 'backups'), join(folder, 'away'))
    const run = await endOf(await startRun())
    expect(run.result).toBe('failed')
    expect(await agent.metric('palette_backup_location_up{location="offsite"}')).toBe(0)
    expect(await agent.metric('palette_backup_location_up{location="folder"}')).toBe(0)
    expect(await metric('last_success_timestamp_seconds', 'offsite')).toBe(before)
    const age = (await metric('last_success_age_seconds', 'offsite')) ?? 0
    await until(
      'the age to grow',
      20_000,
      async () => ((await metric('last_success_age_seconds', 'offsite')) ?? 0) > age,
    )
    expect(await agent.metric('palette_backup_retry_timestamp_seconds{policy="nightly"}')).toBeGreaterThan(0)
    await rename(join(folder, 'away'), join(folder, 'backups'))
    await minio.restart()
    await expectAllIsWell()
  })

  describe('whose clock is set', () => {
    beforeAll(async () => {
      // A signature of S3 is good for 15 minutes: what a wrong clock does to retention shows in the folder alone.
      await writeFile(options.configFile, configuration(minio, join(folder, 'backups'), 512, ['folder']))
      await ask('/-/reload', 'POST')
    })

    afterAll(async () => {
      clock.set(0)
      await configure(512)
      await ask('/-/reload', 'POST')
    })

    it('400 days ahead: it is noticed, one run is made, and retention deletes nothing', async () => {
      const before = await list()
      expect(before.filter(({ location }) => location === 'folder').length).toBeGreaterThan(6)
      clock.set(400 * DAY_MS)
      await until(
        'the jump',
        60_000,
        async () => (await agent.metric('palette_backup_scheduler_clock_jumps_total')) === 1,
      )
      await until('a run of the due time', 60_000, async () => {
        const { recent } = await ask('/runs')
        return recent.some(({ policy, startedAt }: { policy?: string; startedAt: string }) => {
          return policy === 'nightly' && new Date(startedAt).getTime() > Date.now() + 300 * DAY_MS
        })
      })
      await until('the run to end', 60_000, async () => (await ask('/runs')).active.length === 0)
      expect(await metric('retention_refused', 'folder')).toBe(1)
      const after = (await list()).filter(({ location }) => location === 'folder')
      expect(after.length).toBe(before.filter(({ location }) => location === 'folder').length + 1)
    })

    it('back, and then 2 days behind: the next runs succeed, and nothing is lost', async () => {
      clock.set(0)
      expect(await endOf(await startRun())).toMatchObject({ result: 'success' })
      const before = await list()
      clock.set(-2 * DAY_MS)
      expect(await endOf(await startRun())).toMatchObject({ result: 'success' })
      const after = await list()
      expect(after.length).toBe(before.length + 1)
      clock.set(0)
    })
  })

  it('left nothing listed that does not unpack and hold every document', async () => {
    expect(await runCommand(options, ['verify', 'all', '--level', 'decode'])).toMatchObject({ code: 0 })
  })

  it('all of it over: SIGTERM ends the agent with 0, nothing of it is left', async () => {
    const child = agent.pid
    expect(await agent.stop()).toBe(0)
    expect(isAlive(child)).toBe(false)
  })
})

function timeOf(backupId: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(backupId) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

function configuration(
  minio: Minio,
  path: string,
  memoryLimit: number,
  locations: readonly string[] = LOCATIONS,
): string {
  return `version: 1
provider:
  palette:
    cluster_name: prod
    mongodb: { uri: { $env: MONGODB_URI } }
resource:
  backup_storage_location:
    offsite:
      storage_provider: s3
      validate: false
      bucket_name: ${minio.bucket}
      region: us-east-1
      s3:
        credential_type: secret
        access_key: { $env: S3_ACCESS }
        secret_key: { $env: S3_SECRET }
        s3_url: ${minio.url}
    folder:
      storage_provider: filesystem
      validate: false
      filesystem: { path: ${path} }
  backup_policy:
    nightly:
      backup_locations: [${locations.join(', ')}]
      interval: 1
      hours_of_day: [0]
      retention_period: 30
      keep_minimum: 3
      memory_limit: ${memoryLimit}
`
}
