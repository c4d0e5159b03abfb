import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { collect, streamOf } from '../support/streams.ts'
import { certificate, fail, failureOf, ftp, live, location, reopen, start, useFtp } from './ftp-world.ts'

useFtp()

describe('what an FTP server refuses', () => {
  it('says that the credentials are wrong, and never what they are', async () => {
    await start()
    await reopen({ username: 'somebody' })
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
    await reopen({ tls: 'none' })
    expect(await failureOf(location.list('', live()))).toMatchObject({
      code: 'config',
      hint: expect.stringContaining('explicit'),
    })
  })

  it('trusts no certificate of an unknown authority, nor one of another host', async () => {
    await start({ tls: certificate })
    await reopen({ caCert: selfSignedCertificate().cert })
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
    await reopen({ tls: 'explicit' })
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
    ['500 OOPS: child died', { code: 'unavailable', retryable: true, hint: expect.stringContaining('vsftpd') }],
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

  it('works without what a server may lack, and says what is lost by it', async () => {
    await start({ tls: certificate })
    await location.put('key', streamOf(Buffer.from('x')), live())
    await location.list('', live())
    expect(location.facts?.()).toEqual([expect.stringMatching(/^TLSv1\.3, certificate until 20\d\d-\d\d-\d\d$/)])
    await location.close()
    await ftp.stop()
    await start({ mlsd: false, epsv: false })
    fail('SIZE', { kind: 'answer', code: 502, text: 'Unknown.' }, 100)
    await location.put('key', streamOf(Buffer.from('x')), live())
    expect(await location.list('', live())).toMatchObject([{ key: 'key', sizeBytes: 1 }])
    expect(location.facts?.()).toEqual([
      expect.stringContaining('without TLS'),
      expect.stringContaining('no MLSD: names and sizes are read from LIST'),
      expect.stringContaining('no SIZE: what is kept is compared by listings'),
      expect.stringContaining('no EPSV'),
    ])
  })

  it.each(['RNFR', 'RNTO'])('cannot do without renaming: %s', async (command) => {
    await start()
    fail(command, { kind: 'answer', code: 502, text: 'Not here.' }, 100)
    expect(await failureOf(location.put('key', streamOf(Buffer.from('x')), live()))).toMatchObject({
      code: 'unsupported',
      message: 'storing key in nas: the server cannot rename files: it answered 502 Not here.',
      hint: expect.stringContaining('another server'),
    })
    expect([...ftp.files.keys()]).toEqual([])
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
