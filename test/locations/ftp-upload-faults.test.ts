import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../agent/core/errors.ts'
import type { Effect } from '../support/ftp/faults.ts'
import { streamOf } from '../support/streams.ts'
import { fail, failureOf, ftp, live, location, RESET, start, useFtp } from './ftp-world.ts'

useFtp()

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

  it.each(['SIZE', 'RNFR', 'RNTO', 'CWD'])('survives that vsftpd ends the session at %s', async (command) => {
    await start()
    const effect = { kind: 'answer', code: 500, text: 'OOPS: priv_sock_get_cmd' } as const
    ftp.fail({ command, nth: command === 'CWD' ? 3 : 1, effect })
    expect(await location.put('folder/key', streamOf(randomBytes(5000)), live())).toEqual({ sizeBytes: 5000 })
    expect([...ftp.files.keys()]).toEqual(['/folder/key'])
    // It said nothing of what the server can.
    expect(location.facts?.().join()).not.toContain('no SIZE')
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
