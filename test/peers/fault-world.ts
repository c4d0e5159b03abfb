import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect } from 'vitest'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { configurationText, s3Text } from '../support/configuration-text.ts'
import { contentsOf } from '../support/contents.ts'
import { filesBelow } from '../support/files-below.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { loadCollections } from '../support/mongodb/palette-load.ts'
import { until } from '../support/until.ts'
import { isOld, type Listed, newestOf, timeOf } from './listed.ts'
import { runProcessOf } from './servers/children.ts'
import { FakedClock } from './servers/faked-clock.ts'
import { type FerretDb, startFerretDb } from './servers/ferretdb.ts'
import { type HoldingS3Proxy, startHoldingS3Proxy } from './servers/holding-s3-proxy.ts'
import { type Minio, startMinio } from './servers/minio.ts'

export const LOCATIONS = ['offsite', 'folder'] as const
const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']

interface Changes {
  /** More lines of the policy. */
  readonly attributes?: readonly string[]
  readonly locations?: readonly string[]
}

interface Peers {
  readonly source: FerretDb
  readonly targets: readonly [FerretDb, FerretDb]
  readonly minio: Minio
  readonly proxy: HoldingS3Proxy
  readonly folder: string
}

/** One running agent that backs up FerretDB to MinIO and to a folder, its clock in the hands of the test. */
export class FaultWorld {
  readonly source: FerretDb
  /** What is restored goes into one of these. */
  readonly targets: readonly [FerretDb, FerretDb]
  readonly minio: Minio
  /** What leads to MinIO. */
  readonly proxy: HoldingS3Proxy
  readonly folder: string
  readonly clock: FakedClock
  readonly configFile: string
  readonly env: Readonly<Record<string, string>>
  #agent: AgentProcess | undefined
  /** Ids of backups that were restored. */
  readonly #restored = new Set<string>()

  private constructor({ source, targets, minio, proxy, folder }: Peers) {
    this.source = source
    this.targets = targets
    this.minio = minio
    this.proxy = proxy
    this.folder = folder
    this.clock = new FakedClock(folder)
    this.configFile = join(folder, 'palette-backup.yaml')
    this.env = {
      MONGODB_URI: source.uri,
      S3_ACCESS: minio.accessKey,
      S3_SECRET: minio.secretKey,
      ...this.clock.env,
    }
  }

  static async start(): Promise<FaultWorld> {
    const [source, one, other, minio] = await Promise.all([
      ...([startFerretDb(), startFerretDb(), startFerretDb()] as const),
      startMinio(),
    ])
    const proxy = await startHoldingS3Proxy(minio.url)
    const client = new MongoClient(source.uri)
    await loadCollections(client, paletteCollections({ bytes: 6_000_000, collections: 12, documents: 3000 }))
    await client.close()
    const folder = await mkdtemp(join(tmpdir(), 'agent-faults-'))
    for (const name of ['backups', 'old']) await mkdir(join(folder, name))
    const world = new FaultWorld({ source, targets: [one, other], minio, proxy, folder })
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
    this.#agent = await AgentProcess.start(this, ['--drain', '1s'])
  }

  async configure({ attributes = [], locations = LOCATIONS }: Changes = {}): Promise<void> {
    await writeFile(this.configFile, this.#configuration(join(this.folder, 'backups'), attributes, locations))
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

  /** Three backups that retention will delete, in both locations; always the same. */
  async bringOld(): Promise<void> {
    const stored = join(this.folder, 'old', 'prod', 'nightly')
    if ((await readdir(join(this.folder, 'old'))).length === 0) await this.#makeOld()
    await cp(stored, join(this.folder, 'backups', 'prod', 'nightly'), { recursive: true })
    await this.minio.mc('cp', '--quiet', '--recursive', `${stored}/`, `peer/${this.minio.bucket}/prod/nightly/`)
    expect((await this.list()).filter(isOld)).toHaveLength(2 * 3)
  }

  async #makeOld(): Promise<void> {
    const configFile = join(this.folder, 'old.yaml')
    await writeFile(configFile, this.#configuration(join(this.folder, 'old'), [], ['folder']))
    for (const daysAgo of [42, 41, 40]) {
      const env = { ...this.env, FAKETIME: `-${daysAgo}d` }
      const made = await runCommand({ configFile, env }, ['backup', 'nightly'])
      expect(made, made.stderr).toMatchObject({ code: 0 })
    }
    for (const entry of await readdir(join(this.folder, 'old', 'prod'))) {
      if (entry !== 'nightly') await rm(join(this.folder, 'old', 'prod', entry), { recursive: true })
    }
  }

  /** Starts a run and waits until it is held at its request; the process, which does not get any farther. */
  async runHeldAt(
    request: RegExp,
    when: 'before' | 'after',
  ): Promise<{ readonly runId: string; readonly pid: number }> {
    const held = this.proxy.hold({ request, when })
    const runId = await this.startRun()
    const early = this.endOf(runId).then((run) => Promise.reject(new Error(`was not held: ${JSON.stringify(run)}`)))
    await Promise.race([held, early])
    early.catch(() => undefined)
    return { runId, pid: await runProcessOf(this.agent.pid) }
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
  async expectRestored(backupId: string, location: string, target = this.targets[0]): Promise<void> {
    const world = { configFile: this.configFile, env: { ...this.env, TARGET_URI: target.uri } }
    const where = ['--location', location, '--to-uri-env', 'TARGET_URI']
    const restored = await runCommand(world, ['restore', backupId, ...where, '--yes', '--no-safety-backup'])
    expect(restored, `${backupId} of ${location}: ${restored.stderr}`).toMatchObject({ code: 0 })
    expect(await documentsOf(target.uri)).toEqual(await this.#sourceDocuments())
    this.#restored.add(backupId)
  }

  /** Nobody writes to the source. */
  #documents: ReturnType<typeof documentsOf> | undefined
  #sourceDocuments() {
    this.#documents ??= documentsOf(this.source.uri)
    return this.#documents
  }

  /**
   * Each once, now or before, from one of its locations after another: that the same bytes are in all of them, and still
   * those that were restored, is what `verify` shows.
   */
  async expectEveryBackupRestores(): Promise<void> {
    const listed = await this.list()
    expect(await this.command('verify', 'all', '--level', 'stored')).toMatchObject({ code: 0 })
    const ids = [...new Set(listed.map((one) => one.backupId))].filter((backupId) => !this.#restored.has(backupId))
    const left = ids.entries()
    await Promise.all(
      this.targets.map(async (target) => {
        for (const [index, backupId] of left) {
          const places = listed.filter((one) => one.backupId === backupId)
          await this.expectRestored(backupId, places[index % places.length]?.location ?? '', target)
        }
      }),
    )
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
    expect(after.filter(isOld)).toEqual([])
    for (const { backupId, location } of before.filter((one) => !isOld(one))) {
      expect(after).toContainEqual(expect.objectContaining({ backupId, location }))
    }
    for (const location of LOCATIONS) await this.#expectTrueMetrics(location, after)
    const newest = newestOf(after)
    expect(after.filter(({ backupId, complete }) => backupId === newest && complete)).toHaveLength(2)
    const [verified, shown] = await Promise.all([
      this.command('verify', 'all', '--level', 'stored'),
      this.command('show', 'latest', '--json'),
      this.expectRestored(newest, restoreFrom),
    ])
    expect(verified, verified.stderr).toMatchObject({ code: 0 })
    expect(JSON.parse(shown.stdout).manifest.backup_id).toBe(newest)
    expect(await this.minio.incompleteUploads()).toEqual([])
    const ids = after.map(({ backupId }) => backupId)
    const isStray = (name: string): boolean => !ids.some((id) => name.includes(id)) || name.endsWith('.tmp')
    expect((await this.minio.objects()).filter(isStray)).toEqual([])
    expect((await filesBelow(join(this.folder, 'backups'))).filter(isStray)).toEqual([])
  }

  async #expectTrueMetrics(location: string, listed: readonly Listed[]): Promise<void> {
    const here = listed.filter((one) => one.location === location)
    expect(await this.metric('retained_backups', location)).toBe(here.length)
    const newest = timeOf(newestOf(here)) / 1000
    expect(await this.metric('last_success_timestamp_seconds', location)).toBe(newest)
    const age = (await this.metric('last_success_age_seconds', location)) ?? 0
    expect(Math.abs(age - (Date.now() / 1000 - newest))).toBeLessThan(5)
    const future = here.filter(({ backupId }) => timeOf(backupId) > Date.now()).length
    expect(await this.metric('future_backups', location)).toBe(future)
    expect(await this.agent.metric(`palette_backup_location_up{location="${location}"}`)).toBe(1)
  }

  async stop(): Promise<void> {
    await this.#agent?.stop()
    await this.proxy[Symbol.asyncDispose]()
    await Promise.all([this.source, ...this.targets].map((server) => server.stop()))
    await this.minio[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true, force: true })
  }

  #configuration(path: string, more: readonly string[], policyLocations: readonly string[]): string {
    const { bucket } = this.minio
    const attributes = ['validate: false']
    return configurationText({
      clusterName: 'prod',
      uriEnv: 'MONGODB_URI',
      locations: [
        s3Text('offsite', { bucket, url: this.proxy.url, accessEnv: 'S3_ACCESS', secretEnv: 'S3_SECRET', attributes }),
        `    folder: { storage_provider: filesystem, validate: false, filesystem: { path: ${path} } }\n`,
      ],
      policy: 'nightly',
      policyLocations,
      attributes: [
        'interval: 1',
        `hours_of_day: [${(new Date().getUTCHours() + 12) % 24}]`,
        'retention_period: 30',
        'keep_minimum: 3',
        ...more,
      ],
    })
  }
}

async function documentsOf(uri: string) {
  const contents = await contentsOf(uri, DATABASES)
  return contents.map(({ name, documents, digest }) => ({ name, documents, digest }))
}
