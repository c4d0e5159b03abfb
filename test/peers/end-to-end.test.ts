import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CollectionContents, contentsOf } from '../support/contents.ts'
import { startMongodb } from '../support/mongodb/server.ts'
import { until } from '../support/until.ts'
import { DATABASES, MainJob, series } from './main-job.ts'
import { runProcessOf } from './servers/children.ts'
import { startFerretDb } from './servers/ferretdb.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)
const ROOM = { maxBuffer: 64 * 1024 * 1024 }

/**
 * The main job as an operator sees it, against servers that this project did not write: a Palette-like installation in
 * FerretDB, backed up by the agent to MinIO and to vsftpd with TLS, fetched and restored by stock tools and by ours.
 * The tests build on each other.
 */
describe.skipIf(peersMissing('ferretdb', 'minio', 'vsftpd', 'rclone', 'mongorestore', 'promtool'))(
  'the main job, end to end',
  () => {
    let job: MainJob

    beforeAll(async () => {
      job = await MainJob.start()
    })

    afterAll(async () => {
      await job?.[Symbol.asyncDispose]()
    })

    it('has an installation of the size that was asked for', () => {
      expect(job.original.length).toBeGreaterThanOrEqual(50)
      expect(job.original.reduce((sum, { documents }) => sum + documents, 0)).toBeGreaterThanOrEqual(300_000)
      expect(job.original.reduce((sum, { bytes }) => sum + bytes, 0)).toBeGreaterThanOrEqual(300_000_000)
      expect(Math.max(...job.original.map(({ largest }) => largest))).toBeGreaterThan(7_900_000)
    })

    it('makes a scheduled backup in both locations within two minutes', async () => {
      await until('last success in both locations', 180_000, async () => {
        const success = (location: string) => job.agent.metric(series('last_success_timestamp_seconds', location))
        return ((await success('offsite')) ?? 0) > 0 && ((await success('nas')) ?? 0) > 0
      })
      // What follows wants no other run beside it.
      await job.edit((text) => text.replace('"* * * * *"', '"0 0 1 1 *"'))
      const backups = await job.list()
      expect(new Set(backups.map(({ location }) => location))).toEqual(new Set(['offsite', 'nas']))
    })

    it('gives stock tools an archive that they restore, byte for byte', async () => {
      const backups = await job.list()
      const id = backups[0]?.backupId ?? ''
      const key = `prod/nightly/${id}/mongodb.archive.zst`
      const fromS3 = join(job.folder, 's3.zst')
      const fromFtp = join(job.folder, 'ftp.zst')
      await run(peerBinary('rclone'), ['copyto', `${job.minio.rcloneRemote}/${key}`, fromS3], {
        env: { ...process.env, RCLONE_CONFIG: '/dev/null' },
      })
      const url = `ftp://127.0.0.1:${job.vsftpd.port}/palette/${key}`
      await run('curl', [
        '-sS',
        '--ssl-reqd',
        '--cacert',
        join(job.folder, 'ca.crt'),
        '-u',
        `${job.vsftpd.username}:${job.vsftpd.password}`,
        '-o',
        fromFtp,
        url,
      ])
      expect(await sha256(fromS3)).toBe(await sha256(fromFtp))

      const archive = join(job.folder, 'archive')
      await run('zstd', ['-q', '-d', fromS3, '-o', archive])
      await using second = await startFerretDb()
      const stock = (...args: string[]) => run(peerBinary('mongorestore'), [`--archive=${archive}`, ...args], ROOM)
      const dry = await stock('--uri', second.uri, '--dryRun', '-v')
      expect(dry.stderr).toContain('dry run completed')
      // mongorestore sends an index option that FerretDB refuses: its indexes are compared on another server below.
      await stock('--uri', second.uri, '--noIndexRestore')
      const documents = (contents: readonly CollectionContents[]) =>
        contents.map(({ name, documents, digest }) => ({ name, documents, digest }))
      expect(documents(await contentsOf(second.uri, DATABASES))).toEqual(documents(job.original))

      await using third = await startMongodb()
      await stock('--uri', third.uri)
      expect(await contentsOf(third.uri, DATABASES)).toEqual(job.original)
      await rm(archive)
    })

    it('restores into another server itself: the same documents and the same indexes', async () => {
      await using target = await startFerretDb()
      job.env['TARGET_URI'] = target.uri
      const asked = await job.command(['restore', 'latest', '--location', 'nas', '--to-uri-env', 'TARGET_URI'], 'no\n')
      expect(asked).toMatchObject({
        code: 4,
        stderr: expect.stringContaining('was not confirmed, nothing was changed'),
      })
      expect(await contentsOf(target.uri, DATABASES)).toEqual([])
      const restored = await job.command(
        ['restore', 'latest', '--location', 'nas', '--to-uri-env', 'TARGET_URI'],
        'RESTORE prod\n',
      )
      expect(restored, restored.stderr).toMatchObject({ code: 0 })
      expect(await contentsOf(target.uri, DATABASES)).toEqual(job.original)
    })

    it('verifies both copies by decoding them', async () => {
      const verified = await job.command(['verify', 'latest', '--json'])
      expect(verified.code, verified.stderr).toBe(0)
      const { backups } = JSON.parse(verified.stdout)
      expect(backups.map(({ location, ok }: { location: string; ok: boolean }) => [location, ok]).sort()).toEqual([
        ['nas', true],
        ['offsite', true],
      ])
    })

    it('applies an edit within a second while a run is in flight, and the run goes on unharmed', async () => {
      const pid = job.agent.pid
      const started = await job.startRun()
      const appliedMs = await job.edit((text) => text.replace('keep_minimum: 3', 'keep_minimum: 4'))
      expect(appliedMs).toBeLessThan(1000)
      // A new location is used for real before the file is applied: that takes a process of its own.
      await mkdir(join(job.folder, 'disk'))
      const declared = 'resource:\n  backup_storage_location:\n'
      await job.edit((text) =>
        text
          .replace('[offsite, nas]', '[offsite, nas, disk]')
          .replace(declared, `${declared}${disk(join(job.folder, 'disk'))}`),
      )
      expect(job.agent.pid).toBe(pid)
      const end = await job.runEnd(started)
      expect(end).toMatchObject({ result: 'success' })
      const backups = await job.list()
      expect(backups.filter(({ location }) => location === 'disk')).toEqual([])
      expect(await job.agent.metric(series('retained_backups', 'disk'))).toBe(0)
    })

    it('goes on with the old configuration when the file is broken, and says where', async () => {
      const good = await readFile(job.configFile, 'utf8')
      const digest = await job.agent.configDigest()
      await writeFile(job.configFile, good.replace('retention_period', 'retention_perid'))
      await until(
        'the refusal',
        5000,
        async () => (await job.agent.metric('palette_backup_config_last_reload_successful')) === 0,
      )
      expect(await job.agent.configDigest()).toBe(digest)
      expect(await job.agent.metric('palette_backup_next_run_timestamp_seconds{policy="nightly"}')).toBeGreaterThan(0)
      const line = good.split('\n').findIndex((one) => one.includes('retention_period')) + 1
      const status = JSON.stringify(await job.agent.status())
      expect(status).toContain('retention_perid')
      expect(status).toContain(`"line":${line},"column":7`)
      await writeFile(job.configFile, good)
      await until(
        'the good file',
        5000,
        async () => (await job.agent.metric('palette_backup_config_last_reload_successful')) === 1,
      )
    })

    it('survives kill -9 of a run in the middle of an upload: nothing listed, the next run succeeds and cleans up', async () => {
      const before = (await job.list()).length
      await job.startRun()
      await until('an upload in flight', 60_000, async () => (await job.uploadsInFlight()).length > 0)
      const child = await runProcessOf(job.agent.pid)
      process.kill(child, 'SIGKILL')
      await until(
        'the end of the run',
        10_000,
        async () => (await job.agent.metric('palette_backup_running{policy="nightly"}')) === 0,
      )
      expect(await job.agent.metric(`palette_backup_runs_total{policy="nightly",result="failed"}`)).toBe(1)
      expect((await job.list()).length).toBe(before)
      expect((await job.leftovers()).length).toBeGreaterThan(0)

      const end = await job.runEnd(await job.startRun())
      expect(end).toMatchObject({ result: 'success' })
      expect((await job.list()).length).toBe(before + 3)
      expect(await job.leftovers()).toEqual([])
      expect(await job.uploadsInFlight()).toEqual([])
    })

    it('stores in the others when MinIO is down: exit 3, and the age of S3 keeps growing', async () => {
      const lastOffsite = await job.agent.metric(series('last_success_timestamp_seconds', 'offsite'))
      await job.minio.stop()
      const manual = await job.command(['backup', 'nightly', '--json'])
      expect(manual.code, manual.stderr).toBe(3)
      expect(JSON.parse(manual.stdout)).toMatchObject({
        result: 'partial',
        stored: ['nas', 'disk'],
        failed: [{ location: 'offsite', failure: { code: 'unreachable' } }],
      })
      const end = await job.runEnd(await job.startRun())
      expect(end).toMatchObject({ result: 'partial' })
      expect(await job.agent.metric(series('last_success_timestamp_seconds', 'offsite'))).toBe(lastOffsite)
      const age = await job.agent.metric(series('last_success_age_seconds', 'offsite'))
      await until(
        'the age to grow',
        10_000,
        async () => ((await job.agent.metric(series('last_success_age_seconds', 'offsite'))) ?? 0) > (age ?? 0),
      )
      expect(await job.agent.metric(series('last_success_age_seconds', 'nas'))).toBeLessThan(age ?? 0)
      expect(await job.agent.metric(series('last_failure_timestamp_seconds', 'offsite'))).toBeGreaterThan(
        lastOffsite ?? 0,
      )
      await job.minio.restart()
    })

    it('has metrics that promtool finds nothing wrong with', async () => {
      const file = join(job.folder, 'metrics.txt')
      await writeFile(file, await job.agent.metrics())
      const { stderr } = await run('bash', ['-c', `"${peerBinary('promtool')}" check metrics < "${file}"`])
      expect(stderr).toBe('')
    })

    it('rebuilds its metrics from the locations after a restart, and ends cleanly', async () => {
      const names = ['offsite', 'nas'].map((location) => series('last_success_timestamp_seconds', location))
      const before = await Promise.all(names.map((name) => job.agent.metric(name)))
      expect(await job.restartAgent()).toBe(0)
      await until('the metrics to be back', 30_000, async () => {
        const now = await Promise.all(names.map((name) => job.agent.metric(name)))
        return JSON.stringify(now) === JSON.stringify(before)
      })
      expect(before.every((value) => (value ?? 0) > 0)).toBe(true)
    })
  },
)

async function sha256(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}

function disk(path: string): string {
  return `    disk:\n      storage_provider: filesystem\n      filesystem: { path: ${path} }\n`
}
