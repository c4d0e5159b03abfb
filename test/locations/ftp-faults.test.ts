import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { Failure } from '../../agent/core/errors.ts'
import type { Location } from '../../agent/locations/location.ts'
import type { Effect } from '../support/ftp/faults.ts'
import { openDouble, startDouble } from '../support/ftp/location.ts'
import type { FtpDouble, FtpOptions } from '../support/ftp/server.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { collect, errorOf, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'

const SILENCE_MS = 400
const certificate = selfSignedCertificate()
const RESET: Effect = { kind: 'reset' }

let ftp: FtpDouble
let location: Location

afterEach(async () => {
  await location?.close()
  await ftp?.stop()
})

describe('what an FTP server refuses', () => {
  it('says that the credentials are wrong, and never what they are', async () => {
    await start()
    location = openDouble(ftp, { username: 'somebody' })
    const failure = await failureOf(location.list('', live()))
    expect(failure).toMatchObject({ code: 'auth', retryable: false, hint: expect.stringContaining('password') })
    expect(inspect(failure, { depth: 10 })).not.toContain('ftp-secret')
  })

  it('hides a password that the server repeats', async () => {
    await start()
    fail('PASS', { kind: 'answer', code: 530, text: 'No user backup with ftp-secret here.' })
    const failure = await failureOf(location.list('', live()))
    expect(failure).toMatchObject({ code: 'auth', message: expect.stringContaining('with (sensitive) here') })
    expect(inspect(failure, { depth: 10 })).not.toContain('ftp-secret')
  })

  it('says that the server wants TLS', async () => {
    await start({ tls: certificate })
    location = openDouble(ftp, { tls: 'none' })
    expect(await failureOf(location.list('', live()))).toMatchObject({
      code: 'config',
      hint: expect.stringContaining('explicit'),
    })
  })

  it('trusts no certificate of an unknown authority, nor one of another host', async () => {
    await start({ tls: certificate })
    location = openDouble(ftp, { caCert: selfSignedCertificate().cert })
    expect(await failureOf(location.list('', live()))).toMatchObject({
      code: 'unreachable',
      retryable: false,
      hint: expect.stringContaining('ca_cert'),
    })
    expect(ftp.count('PASS')).toBe(0)
    await location.close()
    await ftp.stop()
    const other = selfSignedCertificate(['backup.example.org'])
    await start({ tls: other })
    expect(await failureOf(location.list('', live()))).toMatchObject({ code: 'unreachable', retryable: false })
    expect(ftp.count('PASS')).toBe(0)
  })

  it('does not go on without TLS where the server does not offer it', async () => {
    await start()
    location = openDouble(ftp, { tls: 'explicit' })
    const expected = { code: 'unsupported', message: expect.stringContaining('does not offer TLS') }
    expect(await failureOf(location.list('', live()))).toMatchObject(expected)
    // vsftpd speaks of the login.
    fail('AUTH', { kind: 'answer', code: 530, text: 'Please login with USER and PASS.' })
    expect(await failureOf(location.list('', live()))).toMatchObject(expected)
    expect(ftp.count('PASS')).toBe(0)
  })

  it('says that nothing listens', async () => {
    await start()
    await ftp.stop()
    expect(await failureOf(location.list('', live()))).toMatchObject({ code: 'unreachable', retryable: true })
  })

  it.each([
    ['421 Too many connections.', { code: 'unavailable', retryable: true }],
    ['450 File busy.', { code: 'unavailable', retryable: true }],
    ['550 Permission denied.', { code: 'permission', hint: expect.any(String) }],
    ['553 Could not create file.', { code: 'permission', hint: expect.any(String) }],
    ['522 SSL connection failed: session reuse required', { code: 'unavailable', retryable: true }],
    ['452 Insufficient storage space.', { code: 'no_space', hint: expect.any(String) }],
    ['552 Quota exceeded.', { code: 'no_space', hint: expect.any(String) }],
    ['550 Disk quota exceeded.', { code: 'no_space', hint: expect.any(String) }],
    ['502 Not here.', { code: 'unsupported' }],
  ])('understands %j to an upload', async (reply, expected) => {
    await start()
    fail('STOR', { kind: 'answer', code: Number(reply.slice(0, 3)), text: reply.slice(4) }, 2)
    const failure = await failureOf(location.put('key', streamOf(randomBytes(10)), live()))
    expect(failure).toMatchObject({ ...expected, message: `storing key in nas: the server answered ${reply}` })
    expect([...ftp.files.keys()]).toEqual([])
  })

  it('tells a full disk from a bad network, though the data connection breaks first', async () => {
    await start({ capacityBytes: 3_000_000 })
    ftp.seed('/old', randomBytes(1000))
    const failure = await failureOf(location.put('key', streamOf(randomBytes(9_000_000)), live()))
    expect(failure).toMatchObject({ code: 'no_space', hint: expect.any(String) })
    expect([...ftp.files.keys()]).toEqual(['/old'])
  })

  it('tells "may not" from "is not there" whatever the reply', async () => {
    await start()
    ftp.seed('/folder/kept', Buffer.from('x'))
    const refuse = { kind: 'answer', code: 550, text: 'Failed.' } as const
    fail('DELE', refuse)
    expect(await failureOf(location.delete('folder/kept', live()))).toMatchObject({ code: 'permission' })
    fail('SIZE', refuse)
    expect(await location.stat('folder/kept', live())).toEqual({ key: 'folder/kept', sizeBytes: 1 })
    fail('CWD', refuse, 2)
    expect(await failureOf(location.list('folder/', live()))).toMatchObject({ code: 'permission' })
    fail('RETR', refuse)
    expect(await failureOf(collect(location.get('folder/kept', live())))).toMatchObject({ code: 'permission' })
    expect(await failureOf(collect(location.get('folder/none', live())))).toMatchObject({ code: 'not_found' })
  })

  it('believes no success of a deletion that left the file', async () => {
    await start()
    ftp.seed('/kept', Buffer.from('x'))
    fail('DELE', { kind: 'answer', code: 250, text: 'Deleted.' })
    expect(await failureOf(location.delete('kept', live()))).toMatchObject({ code: 'unavailable', retryable: true })
  })

  it('discards nothing but temporary files of its own', async () => {
    await start()
    ftp.seed('/good', Buffer.from('x'))
    for (const handle of ['good', '../good.0123abcd.tmp', 'good.tmp']) {
      expect(await failureOf(location.discard({ key: 'good', handle }, live()))).toMatchObject({ code: 'internal' })
    }
    expect(ftp.files.has('/good')).toBe(true)
  })
})

describe('an upload that goes wrong', () => {
  it.each<[string, string, Effect]>([
    ['is cut', 'STOR', { kind: 'cut', bytes: 2_000_000 }],
    ['is cut at its first byte', 'STOR', { kind: 'cut', bytes: 0 }],
    ['loses its control connection', 'STOR', RESET],
    ['is refused after the last byte', 'STOR', { kind: 'answer-after', code: 451, text: 'Local error.' }],
    ['stops moving', 'STOR', { kind: 'silence', bytes: 2_000_000 }],
    ['is never answered', 'STOR', { kind: 'stall' }],
    ['finds no data port', 'EPSV', { kind: 'answer', code: 229, text: 'Entering Extended Passive Mode (|||1|)' }],
    ['is not renamed', 'RNTO', { kind: 'answer', code: 451, text: 'Local error.' }],
  ])('rejects when it %s, and leaves what was there', async (_, command, effect) => {
    await start()
    ftp.seed('/key', Buffer.from('old'))
    fail(command, effect)
    const failure = await failureOf(location.put('key', streamOf(randomBytes(20_000_000)), live()))
    expect(failure).toMatchObject({ name: 'Failure', retryable: true })
    expect(['unreachable', 'unavailable']).toContain(failure?.code)
    expect([...ftp.files.keys()]).toEqual(['/key'])
    expect(ftp.files.get('/key')?.bytes.toString()).toBe('old')
  })

  it.each<[string, string, Effect]>([
    ['keeps less than it confirmed', 'STOR', { kind: 'truncate', bytes: 1_000_000 }],
    ['keeps nothing of what it confirmed', 'STOR', { kind: 'truncate', bytes: 0 }],
    ['reports another size', 'SIZE', { kind: 'answer', code: 213, text: '5' }],
  ])('is damaged when the server %s', async (_, command, effect) => {
    await start()
    ftp.seed('/key', Buffer.from('old'))
    fail(command, effect)
    const failure = await failureOf(location.put('key', streamOf(randomBytes(2_000_000)), live()))
    expect(failure).toMatchObject({ code: 'damaged', retryable: true })
    expect([...ftp.files.keys()]).toEqual(['/key'])
    expect(ftp.files.get('/key')?.bytes.toString()).toBe('old')
  })

  it.each(['STOR', 'SIZE', 'RNFR', 'RNTO', 'CWD'])('survives that the reply to %s is lost', async (command) => {
    await start()
    const bytes = randomBytes(5_000_000)
    // The first CWD is that of the login.
    ftp.fail({ command, nth: command === 'CWD' ? 3 : 1, effect: { kind: 'reset-after' } })
    expect(await location.put('folder/key', streamOf(bytes), live())).toEqual({ sizeBytes: bytes.length })
    expect([...ftp.files.keys()]).toEqual(['/folder/key'])
    expect(ftp.files.get('/folder/key')?.bytes.equals(bytes)).toBe(true)
  })

  it('survives that the server never confirms', async () => {
    await start({}, 100)
    fail('STOR', { kind: 'stall-after' })
    expect(await location.put('key', streamOf(randomBytes(1000)), live())).toEqual({ sizeBytes: 1000 })
    expect([...ftp.files.keys()]).toEqual(['/key'])
  })

  it('says what was wrong with the body, not with the server', async () => {
    await start()
    const broken = new Failure('reading hubbledb: the snapshot is gone', {
      code: 'snapshot_lost',
      hint: 'Start again.',
    })
    async function* body() {
      yield randomBytes(100_000)
      throw broken
    }
    expect(await failureOf(location.put('key', body(), live()))).toBe(broken)
  })

  it('makes the folder again when it goes between the look and the upload', async () => {
    await start()
    fail('STOR', { kind: 'answer', code: 553, text: 'Could not create file.' })
    await location.put('folder/key', streamOf(Buffer.from('x')), live())
    expect([...ftp.files.keys()]).toEqual(['/folder/key'])
  })

  it('does not replace by deleting when the rename is refused for another reason', async () => {
    await start()
    fail('RNTO', { kind: 'answer', code: 553, text: 'Rename not allowed.' }, 9)
    const failure = await failureOf(location.put('key', streamOf(Buffer.from('x')), live()))
    expect(failure).toMatchObject({ code: 'permission' })
    expect(ftp.count('DELE')).toBe(1)
    expect(ftp.commands.find((line) => line.startsWith('DELE'))).toMatch(/\.tmp$/)
  })
})

describe('a download that goes wrong', () => {
  it.each<[string, string, Effect]>([
    ['is cut', 'RETR', { kind: 'cut', bytes: 2_000_000 }],
    ['is cut at its first byte', 'RETR', { kind: 'cut', bytes: 0 }],
    ['ends short, confirmed all the same', 'RETR', { kind: 'truncate', bytes: 2_000_000 }],
    ['ends without a byte, confirmed all the same', 'RETR', { kind: 'truncate', bytes: 0 }],
    ['stops moving', 'RETR', { kind: 'silence', bytes: 2_000_000 }],
    ['is never answered', 'RETR', { kind: 'stall' }],
    ['loses its control connection', 'RETR', { kind: 'reset-after' }],
    ['is said to have failed after the last byte', 'RETR', { kind: 'answer-after', code: 426, text: 'Failed.' }],
  ])('rejects when it %s', async (_, command, effect) => {
    await start()
    ftp.seed('/key', randomBytes(5_000_000))
    fail(command, effect)
    const failure = await failureOf(collect(location.get('key', live())))
    expect(failure).toMatchObject({
      code: 'unreachable',
      retryable: true,
      message: expect.stringMatching(/^reading key in nas: /),
    })
    expect((await collect(location.get('key', live()))).length).toBe(5_000_000)
  })

  it('says so when the server cannot begin in the middle', async () => {
    await start()
    ftp.seed('/key', randomBytes(1000))
    fail('REST', { kind: 'answer', code: 502, text: 'Not here.' })
    expect(await failureOf(collect(location.get('key', { ...live(), offset: 10 })))).toMatchObject({
      code: 'unsupported',
    })
  })

  it('waits for a reader that is slower than the limit for silence', async () => {
    await start()
    const bytes = randomBytes(6_000_000)
    ftp.seed('/key', bytes)
    const chunks: Uint8Array[] = []
    for await (const chunk of location.get('key', live())) {
      if (chunks.length === 1) await new Promise((resolve) => setTimeout(resolve, 3 * SILENCE_MS))
      chunks.push(chunk)
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })
})

describe('a listing that goes wrong', () => {
  it.each<[string, Effect]>([
    ['cut', { kind: 'cut', bytes: 100 }],
    ['cut short in a line and confirmed', { kind: 'truncate', bytes: 100 }],
    ['refused at its end', { kind: 'answer-after', code: 451, text: 'Failure reading directory.' }],
    ['silent', { kind: 'silence', bytes: 100 }],
    ['never answered', { kind: 'stall' }],
    ['refused', { kind: 'answer', code: 550, text: 'Failed.' }],
    ['confirmed, of a part', { kind: 'answer-after', code: 226, text: 'Output truncated to 20 matches' }],
    ['confirmed without being one', { kind: 'answer-after', code: 226, text: 'Done (but failed to open directory).' }],
  ])('is rejected when it is %s', async (_, effect) => {
    await start()
    for (let index = 0; index < 50; index += 1) ftp.seed(`/folder/${index}`, Buffer.from('x'))
    ftp.fail({ command: 'MLSD', nth: 2, effect })
    expect(await failureOf(location.list('', live()))).toMatchObject({ name: 'Failure' })
    expect(await location.list('', live())).toHaveLength(50)
  })

  it('enters no folder below when only the folder itself is wanted', async () => {
    await start()
    for (let index = 0; index < 20; index += 1) {
      ftp.seed(`/folder/${index}.json`, Buffer.from('x'))
      ftp.seed(`/folder/${index}/artifact`, Buffer.from('x'))
    }
    expect(await location.list('folder/', { ...live(), shallow: true })).toHaveLength(20)
    expect(ftp.count('MLSD')).toBe(1)
    expect(await location.list('folder/', live())).toHaveLength(40)
  })

  it('asks again without -a where that was taken for a name', async () => {
    await start({ mlsd: false })
    ftp.seed('/key', Buffer.from('x'))
    fail('LIST', { kind: 'truncate', bytes: 0 })
    expect(await location.list('', live())).toEqual([{ key: 'key', sizeBytes: 1 }])
  })
})

describe('FTP connections', () => {
  it('are used again, and closed in the end', async () => {
    await start()
    for (let round = 0; round < 5; round += 1) {
      await location.put(`key${round}`, streamOf(Buffer.from('x')), live())
      await collect(location.get(`key${round}`, live()))
      await location.list('', live())
      await location.delete(`key${round}`, live())
    }
    expect(ftp.count('USER')).toBe(1)
    expect(ftp.connections).toBe(1)
    await location.close()
    await until('the connection to end', 1000, async () => ftp.connections === 0, 5)
  })

  it('are made anew when the server ended the one that was kept', async () => {
    await start()
    await location.put('key', streamOf(Buffer.from('x')), live())
    fail('NOOP', RESET)
    await location.put('key', streamOf(Buffer.from('longer')), live())
    expect(ftp.files.get('/key')?.bytes.toString()).toBe('longer')
    expect(ftp.count('USER')).toBe(2)
  })

  it('are not used again after an error', async () => {
    await start()
    ftp.seed('/key', Buffer.from('x'))
    fail('RETR', { kind: 'answer', code: 451, text: 'Local error.' })
    await failureOf(collect(location.get('key', live())))
    await collect(location.get('key', live()))
    expect(ftp.count('USER')).toBe(2)
  })

  it('go to the server itself, whatever address it gives', async () => {
    await start({ epsv: false, passiveAddress: '192.0.2.1' })
    await location.put('key', streamOf(Buffer.from('x')), live())
    expect((await collect(location.get('key', live()))).toString()).toBe('x')
    expect(ftp.count('EPSV')).toBe(1)
  })

  it.each(['220', 'AUTH', 'USER', 'PASS', 'TYPE', 'CWD', 'PWD', 'EPSV', 'STOR', 'SIZE', 'RNFR', 'RNTO'])(
    'are given up at once by an abort while %s is not answered',
    async (command) => {
      const options = { tls: certificate, ...(command === '220' ? { silent: true } : {}) }
      await start(options, 30_000)
      // Only the first: what cleans up afterwards is answered.
      fail(command, { kind: 'stall' })
      const controller = new AbortController()
      const putting = failureOf(location.put('key', streamOf(Buffer.from('x')), { signal: controller.signal }))
      if (command === '220') await until('a connection', 1000, async () => ftp.connections === 1, 5)
      else await until(`${command} to arrive`, 1000, async () => ftp.count(command) > 0, 5)
      const began = performance.now()
      controller.abort()
      expect(await putting).toMatchObject({ code: 'cancelled' })
      expect(performance.now() - began).toBeLessThan(1000)
      expect([...ftp.files.keys()]).toEqual([])
    },
  )

  it.each(['AUTH', 'PASS', 'CWD', 'PWD', 'FEAT', 'EPSV', 'MLSD'])(
    'are given up after a time when %s is not answered',
    async (command) => {
      await start({ tls: certificate })
      fail(command, { kind: 'stall' })
      expect(await failureOf(location.list('', live()))).toMatchObject({ code: 'unreachable', retryable: true })
    },
  )

  it('enter and make the directory as it is written', async () => {
    await start()
    for (const directory of ['/srv/backups/', 'srv/backups', '//srv//backups', '/srv']) {
      const other = openDouble(ftp, { directory, folder: 'prod' })
      await other.put('key', streamOf(Buffer.from(directory)), live())
      expect(await other.list('', live())).toMatchObject([{ key: 'key', sizeBytes: directory.length }])
      await other.close()
    }
    expect([...ftp.files.keys()]).toEqual(['/srv/backups/prod/key', '/srv/prod/key'])
  })

  it('say why the directory cannot be made', async () => {
    await start()
    location = openDouble(ftp, { directory: '/denied' })
    fail('MKD', { kind: 'answer', code: 550, text: 'Permission denied.' })
    expect(await failureOf(location.list('', live()))).toMatchObject({
      code: 'permission',
      message:
        'listing everything in nas: the directory /denied cannot be entered or made: the server answered 550 Permission denied.',
      hint: expect.stringContaining('directory'),
    })
  })
})

async function start(options: Partial<FtpOptions> = {}, silenceMs = SILENCE_MS): Promise<void> {
  ftp = await startDouble(options)
  location = openDouble(ftp, {}, silenceMs)
}

function fail(command: string, effect: Effect, times = 1): void {
  ftp.fail({ command, times, effect })
}

function live(): { signal: AbortSignal } {
  return { signal: new AbortController().signal }
}

async function failureOf(promise: Promise<unknown>): Promise<Failure | undefined> {
  return (await errorOf(promise)) as Failure | undefined
}
