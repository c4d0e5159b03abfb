import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCommand } from '../support/agent-process.ts'
import { configurationText } from '../support/configuration-text.ts'
import { filesBelow } from '../support/files-below.ts'
import { ftpText, s3Text } from './location-text.ts'
import type { FtpPeer } from './servers/ftp-peer.ts'
import { FTP_LACKS, FTP_MODES, FTP_PROGRAMS, startFtpPeer } from './servers/ftp-peers.ts'
import { startMinio } from './servers/minio.ts'
import { peersMissing } from './servers/peer.ts'
import { startRcloneS3, startVersitygw } from './servers/s3-gateways.ts'

const MODES = FTP_PROGRAMS.flatMap((program) =>
  FTP_MODES.filter((tls) => !FTP_LACKS[program][tls]).map((tls) => ({ program, tls })),
)
const STEPS = [
  ...['write', 'look up', 'list', 'read', 'read from an offset', 'overwrite', 'delete'],
  ...['verify that it is gone', 'write a large object', 'read the large object', 'discard an unfinished upload'],
  ...['delete the large object', 'about the server'],
]

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'palette-backup-validate-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe.skipIf(peersMissing(...FTP_PROGRAMS))('`validate nas` on an FTP server', () => {
  it.each(MODES)('$program, TLS $tls: every step, with its time, and nothing is left', async ({ program, tls }) => {
    await using peer = await startFtpPeer(program, { tls })
    const { code, steps } = await validate(await ftp(peer))
    expectAll(steps)
    expect(code).toBe(0)
    expect(steps.at(-1)?.detail).toMatch(tls === 'none' ? /^without TLS/ : /^TLSv1\.[23], certificate until 20/)
    expect(await filesBelow(peer.root)).toEqual([])
  })

  it.each(['vsftpd', 'proftpd', 'pyftpdlib'] as const)(
    '%s: who may not delete is told apart from who may not write',
    async (program) => {
      await using noDelete = await startFtpPeer(program, { tls: 'explicit', rights: 'no-delete' })
      const kept = await validate(await ftp(noDelete))
      expect(kept.code).toBe(1)
      expect(failed(kept)).toContain('delete')
      expect(failed(kept)).not.toContain('write')
      await using readOnly = await startFtpPeer(program, { tls: 'explicit', rights: 'read' })
      const refused = await validate(await ftp(readOnly))
      expect(refused.code).toBe(1)
      expect(failed(refused)).toContain('write')
      expect(await validate(await ftp(readOnly), 'read')).toMatchObject({ code: 0 })
    },
  )
})

describe.skipIf(peersMissing('minio', 'mc', 'versitygw', 'rclone'))('`validate nas` on an S3 server', () => {
  it.each([
    ['MinIO', startMinio],
    ['versitygw', startVersitygw],
    ['rclone serve s3', startRcloneS3],
  ] as const)('%s: every step, with its time', async (_program, start) => {
    const server = await start()
    const { code, steps } = await validate(s3Text(server)).finally(() => server.stop())
    expectAll(steps)
    expect(code).toBe(0)
  })
})

interface Validated {
  readonly code: number | null
  readonly steps: readonly {
    readonly name: string
    readonly ok: boolean
    readonly durationMs: number
    readonly detail?: string
  }[]
}

function expectAll(steps: Validated['steps']): void {
  expect(steps.map(({ name, ok }) => ({ name, ok }))).toEqual(STEPS.map((name) => ({ name, ok: true })))
  for (const { name, durationMs } of steps) if (name !== 'about the server') expect(durationMs, name).toBeGreaterThan(0)
}

function failed({ steps }: Validated): readonly string[] {
  return steps.filter(({ ok }) => !ok).map(({ name }) => name)
}

async function validate(location: string, permission = 'readwrite'): Promise<Validated> {
  const configFile = join(folder, 'palette-backup.yaml')
  const text = configurationText({
    ...{ clusterName: 'prod', uriEnv: 'MONGODB_URI', policy: 'nightly', policyLocations: ['nas'] },
    locations: [`    nas:\n      ${location}\n`],
    attributes: ['schedule: "0 0 1 1 *"', 'retention_period: 400'],
  })
  await writeFile(configFile, text)
  const options = { configFile, env: { MONGODB_URI: 'mongodb://127.0.0.1:1/' } }
  const { code, stdout, stderr } = await runCommand(options, ['validate', 'nas', '--json', '--permission', permission])
  expect(stdout + stderr).not.toMatch(/^ +at .*:\d+:\d+/m)
  const { locations } = JSON.parse(stdout)
  expect(locations).toMatchObject([{ location: 'nas' }])
  return { code, steps: locations[0].steps }
}

async function ftp(peer: FtpPeer): Promise<string> {
  await writeFile(join(folder, 'ca.crt'), peer.caCert)
  return ftpText({ ...peer, directory: '/' })
}
