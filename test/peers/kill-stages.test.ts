import { access, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { filesBelow } from '../support/files-below.ts'
import { PALETTE_ACTIONS } from '../support/s3/operation.ts'
import { until } from '../support/until.ts'
import { ftpText, s3Text } from './location-text.ts'
import { RunWorld } from './run-world.ts'
import type { FtpPeer } from './servers/ftp-peer.ts'
import { startFtpPeer } from './servers/ftp-peers.ts'
import { type HoldingFtpProxy, startHoldingFtpProxy } from './servers/holding-ftp-proxy.ts'
import { type HoldingS3Proxy, startHoldingS3Proxy } from './servers/holding-s3-proxy.ts'
import { type Minio, startMinio } from './servers/minio.ts'
import { peersMissing } from './servers/peer.ts'
import { startVsftpd } from './servers/vsftpd.ts'

const IN_TLS = ['proftpd', 'pure-ftpd', 'pyftpdlib'] as const

/**
 * `kill -9` of a run that is held at a stage, and what the next run makes of it: what was listed stays listed and whole,
 * a backup is listed from its manifest on and not before, and nothing is left of the dead run.
 */
describe.skipIf(peersMissing('minio', 'mc'))('kill -9 of a run that stores in MinIO', () => {
  let minio: Minio
  let proxy: HoldingS3Proxy
  let world: RunWorld

  beforeAll(async () => {
    minio = await startMinio()
    proxy = await startHoldingS3Proxy(minio.url)
    const { accessKey, secretKey } = await minio.createUser('limited', PALETTE_ACTIONS)
    world = await RunWorld.start(s3Text({ bucket: minio.bucket, accessKey, secretKey, url: proxy.url }))
  })
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
    await minio?.[Symbol.asyncDispose]()
  })

  it.each([
    ['before its record is there', 'PUT .*/\\.runs/', 'before', false],
    ['with its record there', 'PUT .*/\\.runs/', 'after', false],
    ['before the upload is made', 'POST .*\\?uploads', 'before', false],
    ['at the first part', 'PUT .*partNumber=1', 'before', false],
    ['behind the first part', 'PUT .*partNumber=1', 'after', false],
    ['before the upload is completed', 'POST .*uploadId=', 'before', false],
    ['with the upload completed', 'POST .*uploadId=', 'after', false],
    ['in the read-back', 'GET .*\\.archive\\.zst', 'after', false],
    ['before the manifest', 'PUT .*\\.manifest\\.json', 'before', false],
    ['behind the manifest', 'PUT .*\\.manifest\\.json', 'after', true],
    ['in the read-back of the manifest', 'GET .*\\.manifest\\.json', 'after', true],
    ['before its record is removed', 'DELETE .*/\\.runs/', 'before', true],
  ] as const)('%s', async (_stage, request, when, exists) => {
    await world.killAt(() => proxy.hold({ request: new RegExp(request), when }))
    await world.expectRecovery(exists, async () => [...(await minio.objects()), ...(await minio.incompleteUploads())])
  })

  it('with an upload made whose id it never learned: an empty one stays, which nobody under this policy can see', async () => {
    await world.killAt(() => proxy.hold({ request: /POST .*\?uploads/, when: 'after' }))
    await world.expectRecovery(false, () => minio.objects())
    expect(await minio.incompleteUploads()).toHaveLength(1)
  })

  it('leaves every backup whole in the end', () => world.expectAllWhole())
})

describe.skipIf(peersMissing('vsftpd'))('kill -9 of a run that stores on vsftpd', () => {
  let ftp: FtpPeer
  let proxy: HoldingFtpProxy
  let world: RunWorld

  beforeAll(async () => {
    ftp = await startVsftpd({ tls: 'none' })
    proxy = await startHoldingFtpProxy(ftp.port)
    world = await RunWorld.start(ftpText({ ...ftp, port: proxy.port }))
  })
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
    await ftp?.stop()
  })

  it.each([
    ['before the upload', 'STOR .*\\.archive\\.zst\\.', 'before', false],
    ['with all of it sent', 'STOR .*\\.archive\\.zst\\.', 'after', false],
    ['before it gets its name', 'RNTO .*\\.archive\\.zst', 'before', false],
    ['with its name', 'RNTO .*\\.archive\\.zst', 'after', false],
    ['in the read-back', 'RETR .*\\.archive\\.zst', 'before', false],
    ['before the manifest', 'STOR .*\\.manifest\\.json\\.', 'before', false],
    ['with the manifest under its temporary name', 'RNTO .*\\.manifest\\.json', 'before', false],
    ['behind the manifest', 'RNTO .*\\.manifest\\.json', 'after', true],
    ['before its record is removed', 'DELE .*/\\.runs/', 'before', true],
  ] as const)('%s', async (_stage, command, when, exists) => {
    await world.killAt(() => proxy.hold({ command: new RegExp(command), when }))
    await world.expectRecovery(exists, () => filesBelow(ftp.root))
  })

  it("while it wrote its first record: that file is nobody else's, and goes when it is older than any run", async () => {
    await world.killAt(() => proxy.hold({ command: /RNTO .*\/\.runs\//, when: 'before' }))
    const temporaries = async () => (await filesBelow(ftp.root)).filter((file) => file.endsWith('.tmp'))
    const [file = ''] = await temporaries()
    await world.expectRecovery(false, async () => (await filesBelow(ftp.root)).filter((one) => one !== file))
    expect(await temporaries()).toEqual([file])
    const days3 = new Date(Date.now() - 3 * 86_400_000)
    await utimes(file, days3, days3)
    await world.killAt(() => proxy.hold({ command: /STOR .*\.archive\.zst\./, when: 'after' }))
    await world.expectRecovery(false, () => filesBelow(ftp.root))
  })

  it('leaves every backup whole in the end', () => world.expectAllWhole())
})

describe.skipIf(peersMissing(...IN_TLS)).each(IN_TLS)('kill -9 of a run that stores on %s, in TLS', (program) => {
  let ftp: FtpPeer
  let world: RunWorld

  beforeAll(async () => {
    ftp = await startFtpPeer(program, { tls: 'explicit' })
    world = await RunWorld.start(async (folder) => {
      await writeFile(join(folder, 'ca.crt'), ftp.caCert)
      return ftpText(ftp)
    })
  })
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]()
    await ftp?.stop()
  })

  it.each([
    ['before the upload', 'before', 'STOR .*\\.archive\\.zst\\.', false],
    ['with all of it sent', 'behind', 'STOR .*\\.archive\\.zst\\.', false],
    ['before it gets its name', 'before', 'RNTO .*\\.archive\\.zst', false],
    ['with its name', 'behind', 'RNTO .*\\.archive\\.zst', false],
    ['with the manifest under its temporary name', 'before', 'RNTO .*\\.manifest\\.json', false],
    ['behind the manifest', 'behind', 'RNTO .*\\.manifest\\.json', true],
    ['before its record is removed', 'before', 'DELE .*/\\.runs/', true],
  ] as const)('%s', async (stage, when, pattern, exists) => {
    const mark = join(world.folder, stage.replaceAll(' ', '-'))
    const held = until('the run to be held', 60_000, async () => (await access(mark)) === undefined)
    await world.killAt(() => held, {
      NODE_OPTIONS: `--import=${new URL('../support/holding-ftp.ts', import.meta.url).href}`,
      HOLD_FTP: JSON.stringify([when, pattern, mark]),
    })
    await world.expectRecovery(exists, () => filesBelow(ftp.root))
  })

  it('leaves every backup whole in the end', () => world.expectAllWhole())
})

describe('kill -9 of a run that stores in a folder', () => {
  let world: RunWorld

  beforeAll(async () => {
    world = await RunWorld.start(
      (folder) => `storage_provider: filesystem\n      filesystem: { path: ${join(folder, 'disk')} }`,
    )
  })
  afterAll(() => world?.[Symbol.asyncDispose]())

  it.each([
    ['before the artifact gets its name', 'before', '\\.archive\\.zst$', false],
    ['with its name', 'after', '\\.archive\\.zst$', false],
    ['with the manifest under its temporary name', 'before', '\\.manifest\\.json$', false],
    ['behind the manifest', 'after', '\\.manifest\\.json$', true],
  ] as const)('%s', async (_stage, when, pattern, exists) => {
    const mark = join(world.folder, `held-${when}-${exists}-${pattern.length}`)
    const held = until('the run to be held', 60_000, async () => (await access(mark)) === undefined)
    await world.killAt(() => held, {
      NODE_OPTIONS: `--import=${new URL('../support/holding-rename.ts', import.meta.url).href}`,
      HOLD_RENAME: JSON.stringify([when, pattern, mark]),
    })
    await world.expectRecovery(exists, () => filesBelow(join(world.folder, 'disk')))
  })

  it('leaves every backup whole in the end', () => world.expectAllWhole())
})
