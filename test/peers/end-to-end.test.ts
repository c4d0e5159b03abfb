import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { type CollectionContents, contentsOf } from '../support/contents.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { loadCollections } from '../support/mongodb/palette-load.ts'
import { startMongodb } from '../support/mongodb/server.ts'
import { until } from '../support/until.ts'
import { runProcessOf } from './servers/children.ts'
import { type FerretDb, startFerretDb } from './servers/ferretdb.ts'
import { type Minio, startMinio } from './servers/minio.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'
import { startVsftpd, type Vsftpd } from './servers/vsftpd.ts'

const run = promisify(execFile)
const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']
const ROOM = { maxBuffer: 64 * 1024 * 1024 }

/**
 * The main job as an operator sees it, against servers that this project did not write: a Palette-like installation in
 * FerretDB, backed up by the agent to MinIO and to vsftpd with TLS, fetched and restored by stock tools and by ours.
 * The tests build on each other.
 */
describe.skipIf(peersMissing('ferretdb', 'minio', 'vsftpd', 'rclone', 'mongorestore', 'promtool'))(
  'the main job, end to end',
  () => {
    let source: FerretDb
    let minio: Minio
    let vsftpd: Vsftpd
    let agent: AgentProcess
    let folder: string
    let configFile: string
    let env: Record<string, string>
    let original: CollectionContents[]
    const options = () => ({ configFile, env })

    beforeAll(async () => {
      ;[source, minio, vsftpd] = await Promise.all([startFerretDb(), startMinio(), startVsftpd({ tls: 'explicit' })])
      folder = await mkdtemp(join(tmpdir(), 'palette-backup-e2e-'))
      await seed(source.uri)
      original = await contentsOf(source.uri, DATABASES)
      await writeFile(join(folder, 'ftp-password'), `${vsftpd.password}\n`)
      await writeFile(join(folder, 'ca.crt'), vsftpd.caCert)
      configFile = join(folder, 'palette-backup.yaml')
      env = { MONGODB_URI: source.uri, S3_ACCESS: minio.accessKey, S3_SECRET: minio.secretKey }
      await writeFile(configFile, configuration(minio, vsftpd))
      agent = await AgentProcess.start(options())
    })

    afterAll(async () => {
      await agent?.stop()
      await Promise.all([source?.stop(), minio?.stop(), vsftpd?.stop()])
      if (folder) await rm(folder, { recursive: true, force: true })
    })

    it('has an installation of the size that was asked for', () => {
      expect(original.length).toBeGreaterThanOrEqual(50)
      expect(original.reduce((sum, { documents }) => sum + documents, 0)).toBeGreaterThanOrEqual(300_000)
      expect(original.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThanOrEqual(300_000_000)
      expect(Math.max(...original.map(({ largest }) => largest))).toBeGreaterThan(7_900_000)
    })

    it('makes a scheduled backup in both locations within two minutes', async () => {
      await until('last success in both locations', 180_000, async () => {
        const success = (location: string) => agent.metric(series('last_success_timestamp_seconds', location))
        return ((await success('offsite')) ?? 0) > 0 && ((await success('nas')) ?? 0) > 0
      })
      // What follows wants no other run beside it.
      await edit((text) => text.replace('"* * * * *"', '"0 0 1 1 *"'))
      const { backups } = await list()
      expect(new Set(backups.map(({ location }) => location))).toEqual(new Set(['offsite', 'nas']))
    })

    it('gives stock tools an archive that they restore, byte for byte', async () => {
      const { backups } = await list()
      const id = backups[0]?.backupId ?? ''
      const key = `prod/nightly/${id}/mongodb.archive.zst`
      const fromS3 = join(folder, 's3.zst')
      const fromFtp = join(folder, 'ftp.zst')
      await run(peerBinary('rclone'), ['copyto', `${minio.rcloneRemote}/${key}`, fromS3], {
        env: { ...process.env, RCLONE_CONFIG: '/dev/null' },
      })
      const url = `ftp://127.0.0.1:${vsftpd.port}/palette/${key}`
      await run('curl', [
        '-sS',
        '--ssl-reqd',
        '--cacert',
        join(folder, 'ca.crt'),
        '-u',
        `${vsftpd.username}:${vsftpd.password}`,
        '-o',
        fromFtp,
        url,
      ])
      expect(await sha256(fromS3)).toBe(await sha256(fromFtp))

      const archive = join(folder, 'archive')
      await run('zstd', ['-q', '-d', fromS3, '-o', archive])
      await using second = await startFerretDb()
      const stock = (...args: string[]) => run(peerBinary('mongorestore'), [`--archive=${archive}`, ...args], ROOM)
      const dry = await stock('--uri', second.uri, '--dryRun', '-v')
      expect(dry.stderr).toContain('dry run completed')
      // mongorestore sends an index option that FerretDB refuses: its indexes are compared on another server below.
      await stock('--uri', second.uri, '--noIndexRestore')
      const documents = (contents: CollectionContents[]) =>
        contents.map(({ name, documents, digest }) => ({ name, documents, digest }))
      expect(documents(await contentsOf(second.uri, DATABASES))).toEqual(documents(original))

      await using third = await startMongodb()
      await stock('--uri', third.uri)
      expect(await contentsOf(third.uri, DATABASES)).toEqual(original)
      await rm(archive)
    })

    it('restores into another server itself: the same documents and the same indexes', async () => {
      await using target = await startFerretDb()
      env['TARGET_URI'] = target.uri
      const asked = await runCommand(
        options(),
        ['restore', 'latest', '--location', 'nas', '--to-uri-env', 'TARGET_URI'],
        'no\n',
      )
      expect(asked).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('was not confirmed, nothing was changed'),
      })
      expect(await contentsOf(target.uri, DATABASES)).toEqual([])
      const restored = await runCommand(
        options(),
        ['restore', 'latest', '--location', 'nas', '--to-uri-env', 'TARGET_URI'],
        'RESTORE prod\n',
      )
      expect(restored, restored.stderr).toMatchObject({ code: 0 })
      expect(await contentsOf(target.uri, DATABASES)).toEqual(original)
    })

    it('verifies both copies by decoding them', async () => {
      const verified = await runCommand(options(), ['verify', 'latest', '--json'])
      expect(verified.code, verified.stderr).toBe(0)
      const { backups } = JSON.parse(verified.stdout)
      expect(backups.map(({ location, ok }: { location: string; ok: boolean }) => [location, ok]).sort()).toEqual([
        ['nas', true],
        ['offsite', true],
      ])
    })

    it('applies an edit within a second while a run is in flight, and the run goes on unharmed', async () => {
      const pid = agent.pid
      const started = await startRun()
      const appliedMs = await edit((text) =>
        text
          .replace('keep_minimum: 3', 'keep_minimum: 4')
          .replace('[offsite, nas]', '[offsite, nas, disk]')
          .replace(
            'resource:\n  backup_storage_location:\n',
            `resource:\n  backup_storage_location:\n${disk(join(folder, 'disk'))}`,
          ),
      )
      expect(appliedMs).toBeLessThan(1500)
      expect(agent.pid).toBe(pid)
      const end = await runEnd(started)
      expect(end).toMatchObject({ result: 'success' })
      const { backups } = await list()
      expect(backups.filter(({ location }) => location === 'disk')).toEqual([])
      expect(await agent.metric(series('retained_backups', 'disk'))).toBe(0)
    })

    it('goes on with the old configuration when the file is broken, and says where', async () => {
      const good = await readFile(configFile, 'utf8')
      const digest = await agent.configDigest()
      await writeFile(configFile, good.replace('retention_period', 'retention_perid'))
      await until(
        'the refusal',
        5000,
        async () => (await agent.metric('palette_backup_config_last_reload_successful')) === 0,
      )
      expect(await agent.configDigest()).toBe(digest)
      expect(await agent.metric('palette_backup_next_run_timestamp_seconds{policy="nightly"}')).toBeGreaterThan(0)
      const line = good.split('\n').findIndex((one) => one.includes('retention_period')) + 1
      const status = JSON.stringify(await agent.status())
      expect(status).toContain('retention_perid')
      expect(status).toContain(`"line":${line},"column":7`)
      await writeFile(configFile, good)
      await until(
        'the good file',
        5000,
        async () => (await agent.metric('palette_backup_config_last_reload_successful')) === 1,
      )
    })

    it('survives kill -9 of a run in the middle of an upload: nothing listed, the next run succeeds and cleans up', async () => {
      const before = (await list()).backups.length
      await startRun()
      await until('an upload in flight', 60_000, async () => (await uploadsInFlight()).length > 0)
      const child = await runProcessOf(agent.pid)
      process.kill(child, 'SIGKILL')
      await until(
        'the end of the run',
        10_000,
        async () => (await agent.metric('palette_backup_running{policy="nightly"}')) === 0,
      )
      expect(await agent.metric(`palette_backup_runs_total{policy="nightly",result="failed"}`)).toBe(1)
      expect((await list()).backups.length).toBe(before)
      expect((await leftovers()).length).toBeGreaterThan(0)

      const end = await runEnd(await startRun())
      expect(end).toMatchObject({ result: 'success' })
      expect((await list()).backups.length).toBe(before + 3)
      expect(await leftovers()).toEqual([])
      expect(await uploadsInFlight()).toEqual([])
    })

    it('stores in the others when MinIO is down: exit 3, and the age of S3 keeps growing', async () => {
      const lastOffsite = await agent.metric(series('last_success_timestamp_seconds', 'offsite'))
      await minio.stop()
      const manual = await runCommand(options(), ['backup', 'nightly', '--json'])
      expect(manual.code, manual.stderr).toBe(3)
      expect(JSON.parse(manual.stdout)).toMatchObject({
        result: 'partial',
        stored: ['nas', 'disk'],
        failed: [{ location: 'offsite', failure: { code: 'unreachable' } }],
      })
      const end = await runEnd(await startRun())
      expect(end).toMatchObject({ result: 'partial' })
      expect(await agent.metric(series('last_success_timestamp_seconds', 'offsite'))).toBe(lastOffsite)
      const age = await agent.metric(series('last_success_age_seconds', 'offsite'))
      await until(
        'the age to grow',
        10_000,
        async () => ((await agent.metric(series('last_success_age_seconds', 'offsite'))) ?? 0) > (age ?? 0),
      )
      expect(await agent.metric(series('last_success_age_seconds', 'nas'))).toBeLessThan(age ?? 0)
      expect(await agent.metric(series('last_failure_timestamp_seconds', 'offsite'))).toBeGreaterThan(lastOffsite ?? 0)
      await minio.restart()
    })

    it('has metrics that promtool finds nothing wrong with', async () => {
      const file = join(folder, 'metrics.txt')
      await writeFile(file, await agent.metrics())
      const { stderr } = await run('bash', ['-c', `"${peerBinary('promtool')}" check metrics < "${file}"`])
      expect(stderr).toBe('')
    })

    it('rebuilds its metrics from the locations after a restart, and ends cleanly', async () => {
      const names = ['offsite', 'nas'].map((location) => series('last_success_timestamp_seconds', location))
      const before = await Promise.all(names.map((name) => agent.metric(name)))
      expect(await agent.stop()).toBe(0)
      agent = await AgentProcess.start(options())
      await until('the metrics to be back', 30_000, async () => {
        const now = await Promise.all(names.map((name) => agent.metric(name)))
        return JSON.stringify(now) === JSON.stringify(before)
      })
      expect(before.every((value) => (value ?? 0) > 0)).toBe(true)
    })

    async function list(): Promise<{ backups: { backupId: string; location: string }[] }> {
      const listed = await runCommand(options(), ['list', '--json'])
      expect(listed.code, listed.stderr).toBe(0)
      return JSON.parse(listed.stdout)
    }

    /** Rewrites the file; resolves with how long the agent took to apply it, in milliseconds. */
    async function edit(change: (text: string) => string): Promise<number> {
      const digest = await agent.configDigest()
      const text = await readFile(configFile, 'utf8')
      const changed = change(text)
      expect(changed).not.toBe(text)
      await writeFile(configFile, changed)
      const start = performance.now()
      await until('the edit to be applied', 30_000, async () => (await agent.configDigest()) !== digest, 20)
      return performance.now() - start
    }

    async function startRun(): Promise<string> {
      const reply = await fetch(`${agent.url}/backups?policy=nightly`, { method: 'POST' })
      expect(reply.status).toBe(202)
      const { runId } = (await reply.json()) as { runId: string }
      return runId
    }

    async function runEnd(runId: string): Promise<Readonly<Record<string, unknown>>> {
      let ended: Readonly<Record<string, unknown>> | undefined
      await until(`the end of run ${runId}`, 180_000, async () => {
        const { runs } = (await (await fetch(`${agent.url}/runs`)).json()) as { runs: Record<string, unknown>[] }
        ended = runs.find((one) => one['runId'] === runId && one['result'] !== undefined)
        return ended !== undefined
      })
      return ended ?? {}
    }

    /** Multipart uploads and temporary files that are under way or were left. */
    async function uploadsInFlight(): Promise<string[]> {
      return [
        ...(await minio.incompleteUploads()),
        ...(await filesBelow(vsftpd.root)).filter((file) => file.endsWith('.tmp')),
      ]
    }

    /** Everything in the locations that belongs to no backup. */
    async function leftovers(): Promise<string[]> {
      const ids = new Set((await list()).backups.map(({ backupId }) => backupId))
      const files = [...(await filesBelow(vsftpd.root)), ...(await minio.objects())]
      return files
        .filter((file) => !/\d{8}T\d{6}Z-[a-z2-7]{6}/.test(file) || ![...ids].some((id) => file.includes(id)))
        .filter((file) => file.includes('prod/'))
    }
  },
)

async function seed(uri: string): Promise<void> {
  const client = new MongoClient(uri)
  try {
    await loadCollections(
      client,
      paletteCollections({ collections: 52, documents: 340_000, bytes: 330_000_000, largestDocument: 8_000_000 }),
    )
  } finally {
    await client.close()
  }
}

function series(name: string, location: string): string {
  return `palette_backup_${name}{policy="nightly",location="${location}"}`
}

async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}

async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

function disk(path: string): string {
  return `    disk:\n      storage_provider: filesystem\n      filesystem: { path: ${path} }\n`
}

function configuration(minio: Minio, vsftpd: Vsftpd): string {
  return `version: 1
provider:
  palette:
    cluster_name: prod
    mongodb: { uri: { $env: MONGODB_URI } }
resource:
  backup_storage_location:
    offsite:
      storage_provider: s3
      bucket_name: ${minio.bucket}
      region: us-east-1
      s3:
        credential_type: secret
        access_key: { $env: S3_ACCESS }
        secret_key: { $env: S3_SECRET }
        s3_url: ${minio.url}
    nas:
      storage_provider: ftp
      ca_cert: { $file: ca.crt }
      ftp:
        server: 127.0.0.1:${vsftpd.port}
        directory: /palette
        username: ${vsftpd.username}
        password: { $file: ftp-password }
        tls: explicit
  backup_policy:
    nightly:
      backup_locations: [offsite, nas]
      schedule: "* * * * *"
      retention_period: 14
      keep_minimum: 3
`
}
