import { randomBytes } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { FtpLocationConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import type { Failure } from '../../agent/core/errors.ts'
import { MIB } from '../../agent/core/units.ts'
import type { FtpLocationOptions } from '../../agent/locations/ftp/ftp-location.ts'
import { openFtp } from '../../agent/locations/ftp/ftp-location.ts'
import type { Location } from '../../agent/locations/location.ts'
import { createRetry } from '../../agent/locations/retry.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { sendIfAlive } from '../support/processes.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'
import { cut, sessionPids } from './servers/ftp-cuts.ts'
import type { FtpPeer } from './servers/ftp-peer.ts'
import { ftpPeerConfig } from './servers/ftp-peer.ts'
import { FTP_PROGRAMS, startFtpPeer } from './servers/ftp-peers.ts'
import { peersMissing } from './servers/peer.ts'
import { startProftpd } from './servers/proftpd.ts'
import { startPureFtpd } from './servers/pure-ftpd.ts'

const signal = new AbortController().signal
const bytes = randomBytes(40 * MIB)

describe.skipIf(peersMissing(...FTP_PROGRAMS)).each(FTP_PROGRAMS)('%s goes wrong', (program) => {
  it.each([
    ['the data connection is cut', (peer: FtpPeer) => cut('data', peer)],
    ['the control connection is cut', (peer: FtpPeer) => cut('control', peer)],
    ['the server crashes and comes back', (peer: FtpPeer) => peer.kill().then(() => peer.restart())],
  ])('and an upload survives that %s', async (_, break_) => {
    await using peer = await startFtpPeer(program, { tls: 'explicit' })
    const location = open(peer)
    expect(await putBroken(location, peer, () => break_(peer))).toEqual({ sizeBytes: bytes.length })
    expect((await stored(peer, 'key')).equals(bytes)).toBe(true)
    expect(await temporaries(peer)).toEqual([])
    await location.close()
  })

  it('and a download survives that its connections are cut', async () => {
    await using peer = await startFtpPeer(program, { tls: 'explicit' })
    const location = open(peer)
    await location.put('key', sliced(bytes, MIB), { signal })
    const chunks: Uint8Array[] = []
    let received = 0
    let next = 10 * MIB
    for await (const chunk of location.get('key', { signal })) {
      chunks.push(chunk)
      received += chunk.length
      if (received > next) await cut(next > 20 * MIB ? 'control' : 'data', peer)
      while (received > next) next += 15 * MIB
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    await location.close()
  })

  it('and its full disk is told as one, with nothing left behind', async () => {
    await using peer = await startFtpPeer(program, { tls: 'explicit', diskMib: 32 })
    const location = open(peer)
    await location.put('old', streamOf(Buffer.from('old')), { signal })
    const failure = await failureOf(location.put('key', sliced(bytes, MIB), { signal }))
    expect(failure).toMatchObject({ code: 'no_space', hint: expect.any(String) })
    expect(await temporaries(peer)).toEqual([])
    await location.close()
  })

  it('and the control connection stays in step with NOOP during transfers', async () => {
    await using peer = await startFtpPeer(program, { tls: 'explicit' })
    const location = open(peer, {}, { keepAliveMs: 50 })
    async function* slow() {
      for (let at = 0; at < 20 * MIB; at += MIB) {
        await sleep(30)
        yield bytes.subarray(at, at + MIB)
      }
    }
    await location.put('folder/slow', slow(), { signal })
    let received = 0
    for await (const chunk of location.get('folder/slow', { signal })) {
      received += chunk.length
      if (received < 5 * MIB) await sleep(10)
    }
    expect(received).toBe(20 * MIB)
    expect(await location.list('folder/', { signal })).toMatchObject([{ key: 'folder/slow', sizeBytes: 20 * MIB }])
    await location.close()
  })

  it('and says what it refuses', async () => {
    await using peer = await startFtpPeer(program, { tls: 'explicit' })
    const { password } = ftpPeerConfig(peer)
    const refusals: readonly [Partial<FtpLocationConfig>, Partial<Failure>][] = [
      [{ username: 'nobody-known' }, { code: 'auth', hint: expect.stringContaining('password') }],
      [{ tls: 'none' }, { code: 'config', hint: expect.stringContaining('explicit') }],
      [{ tls: 'implicit' }, { code: 'unreachable', hint: expect.stringContaining('TLS') }],
      [{ caCert: selfSignedCertificate().cert }, { code: 'unreachable', hint: expect.stringContaining('ca_cert') }],
    ]
    for (const [changes, expected] of refusals) {
      // vsftpd and pure-ftpd take seconds to say that a password is wrong.
      const location = open(peer, changes, { silenceMs: 20_000 })
      const failure = await failureOf(location.list('', { signal }))
      expect(failure).toMatchObject(expected)
      expect(failure?.message).not.toContain(password.reveal())
      await location.close()
    }
  })
})

// pyftpdlib serves all sessions in one process: to kill that is the crash above.
describe.skipIf(peersMissing(...FTP_PROGRAMS)).each(['vsftpd', 'proftpd', 'pure-ftpd'] as const)('%s', (program) => {
  it.each(['SIGKILL', 'SIGSTOP'] as const)('survives in an upload that its session gets %s', async (kill) => {
    await using peer = await startFtpPeer(program, { tls: 'none' })
    const location = open(peer)
    let letGo: Promise<unknown> | undefined
    const breaking = async (): Promise<void> => {
      const sessions = await sessionPids(peer)
      // One process of a session may end with another.
      expect(sessions.filter((pid) => sendIfAlive(pid, kill)).length).toBeGreaterThan(0)
      // In the end the server lets go of it.
      if (kill === 'SIGSTOP') letGo = sleep(5000).then(() => sessions.map((pid) => sendIfAlive(pid, 'SIGKILL')))
    }
    expect(await putBroken(location, peer, breaking)).toEqual({ sizeBytes: bytes.length })
    expect((await stored(peer, 'key')).equals(bytes)).toBe(true)
    // Uploads that waited for the dead one must not touch the file that is whole by now.
    await sleep(1000)
    expect((await stored(peer, 'key')).equals(bytes)).toBe(true)
    expect(await temporaries(peer)).toEqual([])
    await location.close()
    await letGo
  })
})

describe.skipIf(peersMissing(...FTP_PROGRAMS))('FTP users with fewer rights', () => {
  it.each(['vsftpd', 'proftpd', 'pyftpdlib'] as const)('%s: one who may not delete', async (program) => {
    await using peer = await startFtpPeer(program, { tls: 'explicit', rights: 'no-delete' })
    const location = open(peer)
    await location.put('folder/key', streamOf(Buffer.from('kept')), { signal })
    await location.put('folder/key', streamOf(Buffer.from('replaced')), { signal })
    expect(await failureOf(location.delete('folder/key', { signal }))).toMatchObject({
      code: 'permission',
      message: expect.stringMatching(/^deleting folder\/key in nas: /),
      hint: expect.stringContaining('delete'),
    })
    expect((await collect(location.get('folder/key', { signal }))).toString()).toBe('replaced')
    await location.delete('folder/none', { signal })
    await location.close()
  })

  it.each(['vsftpd', 'proftpd', 'pyftpdlib'] as const)('%s: one who may only read', async (program) => {
    await using peer = await startFtpPeer(program, { tls: 'explicit', rights: 'read' })
    const location = open(peer, { directory: '/', folder: '' })
    expect(await location.list('', { signal })).toEqual([])
    expect(await failureOf(location.put('key', streamOf(Buffer.from('x')), { signal }))).toMatchObject({
      code: 'permission',
      retryable: false,
    })
    await location.close()
  })
})

describe.skipIf(peersMissing(...FTP_PROGRAMS))('FTP limits', () => {
  it.each([
    ['pure-ftpd', () => startPureFtpd({ tls: 'explicit', quotaMib: 20 })],
    ['proftpd', () => startProftpd({ tls: 'explicit', quotaMib: 20 })],
  ])('%s: a quota is told as one', async (_, start) => {
    await using peer = await start()
    const location = open(peer)
    expect(await failureOf(location.put('key', sliced(bytes, MIB), { signal }))).toMatchObject({ code: 'no_space' })
    expect(await temporaries(peer)).toEqual([])
    await location.close()
  })

  it('pure-ftpd: a listing that it cuts at its limit is no listing', async () => {
    await using peer = await startPureFtpd({ tls: 'explicit', listed: 10 })
    const location = open(peer)
    for (let index = 0; index < 12; index += 1) await location.put(`${index}`, streamOf(Buffer.from('x')), { signal })
    expect(await failureOf(location.list('', { signal }))).toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('only a part'),
    })
    await location.close()
  })

  it('a TLS session that the server has forgotten is made anew', async () => {
    await using peer = await startProftpd({ tls: 'explicit', sessionSeconds: 3 })
    const location = open(peer)
    await location.put('one', streamOf(Buffer.from('1')), { signal })
    // The connection is kept for longer than that.
    await sleep(4500)
    await location.put('two', streamOf(Buffer.from('2')), { signal })
    await sleep(4500)
    const retry = createRetry({ clock: systemClock })
    expect(await retry(() => location.list('', { signal }), signal)).toHaveLength(2)
    await location.close()
  })
})

function open(peer: FtpPeer, changes: Partial<FtpLocationConfig> = {}, options: Partial<FtpLocationOptions> = {}) {
  const retry = createRetry({ clock: systemClock, attempts: 6, baseMs: 200 })
  return openFtp(ftpPeerConfig(peer, changes), { clock: systemClock, silenceMs: 2000, retry, ...options })
}

/**
 * Breaks something when most of it has arrived: what is still to come fits what the location keeps at hand, however
 * much the buffers of this machine may hold.
 */
async function putBroken(
  location: Location,
  peer: FtpPeer,
  break_: () => Promise<unknown>,
): Promise<{ sizeBytes: number }> {
  async function* body() {
    for (let at = 0; at < bytes.length; at += MIB) {
      if (at === 28 * MIB) {
        await until('the upload to arrive', 30_000, async () => (await arrived(peer)) >= 26 * MIB, 20)
        await break_()
      }
      yield bytes.subarray(at, at + MIB)
    }
  }
  return await location.put('key', body(), { signal })
}

async function arrived(peer: FtpPeer): Promise<number> {
  const [name = ''] = await temporaries(peer)
  return (await stat(join(peer.root, name))).size
}

async function stored({ root }: FtpPeer, key: string): Promise<Buffer> {
  return await readFile(join(root, 'backups/prod/palette', key))
}

async function temporaries({ root }: FtpPeer): Promise<string[]> {
  return (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.tmp'))
}

async function failureOf(promise: Promise<unknown>): Promise<Failure | undefined> {
  return (await errorOf(promise)) as Failure | undefined
}
