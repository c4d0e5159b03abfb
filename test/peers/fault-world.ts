import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect } from 'vitest'
import { backupIdTime } from '../../agent/backup/backup-id.ts'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { configurationText, s3Text } from '../support/configuration-text.ts'
import { contentsOf } from '../support/contents.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { loadCollections } from '../support/mongodb/palette-load.ts'
import { ShiftedClock } from '../support/shifted-clock.ts'
import { until } from '../support/until.ts'
import { runProcessOf } from './servers/children.ts'
import { type FerretDb, startFerretDb } from './servers/ferretdb.ts'
import { type Minio, startMinio } from './servers/minio.ts'

export const LOCATIONS = ['offsite', 'folder'] as const
const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']

export interface Listed {
  readonly backupId: string
  readonly location: string
  readonly complete: boolean
}

interface Peers {
  readonly source: FerretDb
  readonly target: FerretDb
  readonly minio: Minio
  readonly folder: string
}

/** One running agent that backs up FerretDB to MinIO and to a folder, its clock in the hands of the test. */
export class FaultWorld {
  readonly source: FerretDb
  /** What is restored goes here. */
  readonly target: FerretDb
  readonly minio: Minio
  readonly folder: string
  readonly clock: ShiftedClock
  readonly configFile: string
  readonly env: Readonly<Record<string, string>>
  #agent: AgentProcess | undefined

  private constructor({ source, target, minio, folder }: Peers) {
    this.source = source
    this.target = target
    this.minio = minio
    this.folder = folder
    this.clock = new ShiftedClock(folder)
    this.configFile = join(folder, 'palette-backup.yaml')
    this.env = {
      MONGODB_URI: source.uri,
      TARGET_URI: target.uri,
      S3_ACCESS: minio.accessKey,
      S3_SECRET: minio.secretKey,
      ...this.clock.env,
    }
  }

  static async start(): Promise<FaultWorld> {
    const [source, target, minio] = await Promise.all([startFerretDb(), startFerretDb(), startMinio()])
    const client = new MongoClient(source.uri)
    await loadCollections(client, paletteCollections({ bytes: 20_000_000, collections: 12, documents: 6000 }))
    await client.close()
    const folder = await mkdtemp(join(tmpdir(), 'agent-faults-'))
    await mkdir(join(folder, 'backups'))
    const world = new FaultWorld({ source, target, minio, folder })
    await world.configure()
    await world.startAgent()
    return world
  }

  get agent(): AgentProcess {
    if (!this.#agent) throw new Error('no agent was started')
    return this.#agent
  }

  /** Another one, when the last was killed. */
  async startAgent(): Promise<void> {
    this.#agent = await AgentProcess.start(this)
  }

  async configure(memoryLimit = 512, locations: readonly string[] = LOCATIONS): Promise<void> {
    await writeFile(this.configFile, configuration(this.minio, join(this.folder, 'backups'), memoryLimit, locations))
    if (this.#agent) await this.ask('/-/reload', 'POST')
  }

  async ask(path: string, method = 'GET') {
    const reply = await fetch(`${this.agent.url}${path}`, { method })
    return JSON.parse(await reply.text())
  }

  async startRun(): Promise<string> {
    return (await this.ask('/backups?policy=nightly', 'POST')).runId
  }

  async endOf(runId: string) {
    const ended = async (): Promise<boolean> => (await this.ask(`/runs/${runId}`)).result !== undefined
    await until(`the end of run ${runId}`, 120_000, ended, 50)
    return await this.ask(`/runs/${runId}`)
  }

  /** Starts a run and waits until it is in this stage, or has ended; its process, where it still has one. */
  async runUntil(stage: string): Promise<{ readonly runId: string; readonly pid: number | undefined }> {
    const runId = await this.startRun()
    const reached = async (): Promise<boolean> => {
      const run = await this.ask(`/runs/${runId}`)
      return run.stage === stage || run.result !== undefined
    }
    await until(`the stage ${stage}`, 60_000, reached, 2)
    return { runId, pid: await runProcessOf(this.agent.pid).catch(() => undefined) }
  }

  metric(name: string, location: string): Promise<number | undefined> {
    return this.agent.metric(`palette_backup_${name}{policy="nightly",location="${location}"}`)
  }

  command(...args: readonly string[]) {
    return runCommand(this, args)
  }

  async list(): Promise<readonly Listed[]> {
    const listed = await this.command('list', '--json')
    expect(listed).toMatchObject({ code: 0 })
    return JSON.parse(listed.stdout).backups
  }

  /** Into the target, which then holds what the source holds, and nothing else. */
  async expectRestored(backupId: string, location: string): Promise<void> {
    const where = ['--location', location, '--to-uri-env', 'TARGET_URI']
    const restored = await this.command('restore', backupId, ...where, '--yes', '--no-safety-backup')
    expect(restored, `${backupId} of ${location}: ${restored.stderr}`).toMatchObject({ code: 0 })
    expect(await documentsOf(this.target.uri)).toEqual(await documentsOf(this.source.uri))
  }

  /** Each once, from one of its locations after another: the same bytes are in all of them, as `verify` has shown. */
  async expectEveryBackupRestores(): Promise<void> {
    const listed = await this.list()
    for (const [index, backupId] of [...new Set(listed.map((one) => one.backupId))].entries()) {
      const places = listed.filter((one) => one.backupId === backupId)
      await this.expectRestored(backupId, places[index % places.length]?.location ?? '')
    }
  }

  /** The metrics count what the locations hold, without a further run that would tell. */
  async untilTrueMetrics(): Promise<void> {
    const listed = await this.list()
    for (const location of LOCATIONS) {
      const here = listed.filter((one) => one.location === location).length
      await until(
        `${here} backups counted in ${location}`,
        30_000,
        async () => (await this.metric('retained_backups', location)) === here,
      )
    }
  }

  /** What must hold after every fault; the newest backup is restored from the location that is named. */
  async expectAllIsWell(restoreFrom: (typeof LOCATIONS)[number] = 'offsite'): Promise<void> {
    const before = await this.list()
    const run = await this.endOf(await this.startRun())
    expect(run, JSON.stringify(run)).toMatchObject({ result: 'success' })
    const after = await this.list()
    for (const { backupId, location } of before) {
      expect(after).toContainEqual(expect.objectContaining({ backupId, location }))
    }
    expect(await this.command('verify', 'all', '--level', 'stored')).toMatchObject({ code: 0 })
    for (const location of LOCATIONS) await this.#expectTrueMetrics(location, after)
    expect(await this.minio.incompleteUploads()).toEqual([])
    const ids = after.map(({ backupId }) => backupId)
    expect((await this.minio.objects()).filter((key) => !ids.some((id) => key.includes(id)))).toEqual([])
    await this.expectRestored('latest', restoreFrom)
  }

  async #expectTrueMetrics(location: string, listed: readonly Listed[]): Promise<void> {
    const ids = listed.filter((one) => one.location === location).map(({ backupId }) => backupId)
    expect(await this.metric('retained_backups', location)).toBe(ids.length)
    const newest = backupIdTime(ids.toSorted().at(-1) ?? '')?.getTime() ?? Number.NaN
    expect(await this.metric('last_success_timestamp_seconds', location)).toBe(newest / 1000)
    expect(await this.agent.metric(`palette_backup_location_up{location="${location}"}`)).toBe(1)
  }

  async stop(): Promise<void> {
    await this.#agent?.stop()
    await Promise.all([this.source.stop(), this.target.stop(), this.minio[Symbol.asyncDispose]()])
    await rm(this.folder, { recursive: true, force: true })
  }
}

async function documentsOf(uri: string) {
  const contents = await contentsOf(uri, DATABASES)
  return contents.map(({ name, documents, digest }) => ({ name, documents, digest }))
}

function configuration(
  { bucket, url }: Minio,
  path: string,
  memoryLimit: number,
  policyLocations: readonly string[],
): string {
  const attributes = ['validate: false']
  return configurationText({
    clusterName: 'prod',
    uriEnv: 'MONGODB_URI',
    locations: [
      s3Text('offsite', { bucket, url, accessEnv: 'S3_ACCESS', secretEnv: 'S3_SECRET', attributes }),
      `    folder: { storage_provider: filesystem, validate: false, filesystem: { path: ${path} } }\n`,
    ],
    policy: 'nightly',
    policyLocations,
    attributes: [
      'interval: 1',
      'hours_of_day: [0]',
      'retention_period: 30',
      'keep_minimum: 3',
      `memory_limit: ${memoryLimit}`,
    ],
  })
}
