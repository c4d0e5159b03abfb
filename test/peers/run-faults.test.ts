import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { MIB, SECOND_MS } from '../../agent/core/units.ts'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { PALETTE_ACTIONS } from '../support/s3/operation.ts'
import { ShiftedClock } from '../support/shifted-clock.ts'
import { until } from '../support/until.ts'
import { ftpText, s3Text } from './location-text.ts'
import { RunWorld } from './run-world.ts'
import { startHoldingS3Proxy } from './servers/holding-s3-proxy.ts'
import { startMinio } from './servers/minio.ts'
import { peersMissing } from './servers/peer.ts'
import { startVsftpd } from './servers/vsftpd.ts'

const run = promisify(execFile)
const DAY_MS = 86_400_000

describe.skipIf(peersMissing('minio', 'mc'))('a run that stores in MinIO', () => {
  it('outlasts a storm of 503 that comes in the middle of it, and fails clearly where it does not end', async () => {
    await using minio = await startMinio()
    await using proxy = await startHoldingS3Proxy(minio.url)
    const { accessKey, secretKey } = await minio.createUser('limited', PALETTE_ACTIONS)
    await using world = await RunWorld.start(s3Text({ bucket: minio.bucket, accessKey, secretKey, url: proxy.url }))
    let stormy: number | undefined
    let refused = 0
    proxy.refuse = (request) => {
      if (request.includes('partNumber=2')) stormy ??= performance.now()
      if (stormy === undefined || performance.now() - stormy > 5 * SECOND_MS) return undefined
      refused += 1
      return 503
    }
    expect(await world.run()).toMatchObject({ code: 0 })
    expect(refused).toBeGreaterThan(2)
    const before = await world.list()

    proxy.refuse = (request) => (request.includes('partNumber=2') ? 503 : undefined)
    const failed = await world.run()
    expect(failed.code).toBe(1)
    expect(JSON.parse(failed.stdout).failed).toMatchObject([
      { location: 'there', failure: { code: 'unavailable', message: expect.stringContaining('SlowDown') } },
    ])
    proxy.refuse = undefined
    expect(await world.list()).toEqual(before)
    expect(await minio.incompleteUploads()).toEqual([])
    await world.expectAllWhole()
  })

  it('says that its disk is full, and harms nothing that is there', async () => {
    await using minio = await startMinio({ diskMib: 64 })
    const { accessKey, secretKey } = await minio.createUser('limited', PALETTE_ACTIONS)
    await using world = await RunWorld.start(s3Text({ bucket: minio.bucket, accessKey, secretKey, url: minio.url }))
    const before = await world.list()
    const filler = join(world.folder, 'filler')
    await writeFile(filler, randomBytes(34 * MIB))
    await minio.mc('cp', '--quiet', filler, `peer/${minio.bucket}/filler`)
    const failed = await world.run()
    expect(failed.code).toBe(1)
    expect(JSON.parse(failed.stdout).failed).toMatchObject([{ location: 'there', failure: { code: 'no_space' } }])
    expect(await world.list()).toEqual(before)
    expect(await minio.incompleteUploads()).toEqual([])
    await world.expectAllWhole()
    await minio.mc('rm', '--quiet', `peer/${minio.bucket}/filler`)
    // What it has removed it keeps for minutes, but not over a start.
    await minio.restart()
    await until('a run to succeed again', 60_000, async () => (await world.run()).code === 0)
  })
})

describe('a run that stores in a folder', () => {
  it('says that the disk is full, and harms nothing that is there', async () => {
    let disk = ''
    await using world = await RunWorld.start(async (folder) => {
      disk = join(folder, 'mounted')
      await mkdir(disk)
      await run('mount', ['-t', 'tmpfs', '-o', 'size=32m,mode=0755', 'tmpfs', disk])
      return `storage_provider: filesystem\n      filesystem: { path: ${disk} }`
    })
    const before = await world.list()
    const failed = await world.run()
    expect(failed.code).toBe(1)
    expect(JSON.parse(failed.stdout).failed).toMatchObject([{ location: 'there', failure: { code: 'no_space' } }])
    expect(await world.list()).toEqual(before)
    const files = (await readdir(disk, { recursive: true })).filter((name) => /\.(tmp|json|zst)$/.test(name))
    expect(files.filter((name) => ![...before].some((id) => name.includes(id)))).toEqual([])
    await world.expectAllWhole()
    await run('umount', ['--lazy', disk])
  })
})

describe.skipIf(peersMissing('vsftpd'))('a run that stores on vsftpd, as a user who may not delete', () => {
  it('succeeds, says why retention deleted nothing, and counts it', async () => {
    await using server = await startVsftpd({ tls: 'explicit', rights: 'no-delete' })
    await using world = await RunWorld.start(
      async (folder) => {
        await writeFile(join(folder, 'ca.crt'), server.caCert)
        return ftpText(server)
      },
      { keepMinimum: 1 },
    )
    const clock = new ShiftedClock(world.folder)
    const old = [...(await world.list())]
    clock.set(500 * DAY_MS)
    await using agent = await AgentProcess.start({ ...world.options, env: { ...world.options.env, ...clock.env } })
    const reply = await fetch(`${agent.url}/backups?policy=nightly`, { method: 'POST' })
    const { runId } = (await reply.json()) as { runId: string }
    let ended: Record<string, unknown> = {}
    await until('the end of the run', 60_000, async () => {
      ended = (await (await fetch(`${agent.url}/runs/${runId}`)).json()) as Record<string, unknown>
      return ended['result'] !== undefined
    })
    expect(ended, JSON.stringify(ended)).toMatchObject({ result: 'success' })
    const series = (name: string) => agent.metric(`palette_backup_${name}{policy="nightly",location="there"}`)
    expect(await series('deletion_failures_total')).toBe(1)
    expect(await series('deletions_total')).toBe(0)
    expect(await series('retained_backups')).toBe(2)
    const after = await world.list()
    expect([...after]).toEqual(expect.arrayContaining(old))
    expect(after.size).toBe(2)
    const told = agent.log.map((line) => JSON.stringify(line)).join('\n')
    expect(told).toContain(
      `deleting prod/nightly/${old[0]}.manifest.json in there: the server answered 550 Permission denied.`,
    )
    await world.expectAllWhole()
  })
})

describe.skipIf(peersMissing('vsftpd', 'minio', 'mc'))('where nothing may be deleted', () => {
  it.each(['vsftpd', 'MinIO'] as const)(
    '%s: night after night there is one record and one warning of it, and a restore ends',
    async (program) => {
      await using server =
        program === 'vsftpd' ? await startVsftpd({ tls: 'explicit', rights: 'no-delete' }) : await startMinio()
      await using world = await RunWorld.start(async (folder) => {
        if ('bucket' in server) {
          const actions = PALETTE_ACTIONS.filter((action) => action !== 's3:DeleteObject')
          const { accessKey, secretKey } = await server.createUser('no-delete', actions)
          return s3Text({ bucket: server.bucket, accessKey, secretKey, url: server.url })
        }
        await writeFile(join(folder, 'ca.crt'), server.caCert)
        return ftpText(server)
      })
      for (const _night of [2, 3]) {
        const { code, stdout } = await world.run()
        const { result, warnings } = JSON.parse(stdout)
        expect({ code, result, warnings }).toEqual({
          code: 0,
          result: 'success',
          warnings: [
            expect.stringMatching(/^deleting prod\/\.runs\/[^/]+\.json in there: .*(denied|s3:DeleteObject)/i),
          ],
        })
      }
      const restored = await runCommand(world.options, ['restore', 'latest', '--yes'])
      expect(restored, restored.stderr).toMatchObject({ code: 0 })
      expect(restored.stderr).not.toContain('still on record')
      expect(await world.run()).toMatchObject({ code: 0 })
      const verified = await runCommand(world.options, ['verify', 'latest'])
      expect(verified, verified.stderr).toMatchObject({ code: 0 })
      expect((await world.list()).size).toBeGreaterThanOrEqual(4)
    },
  )
})
