import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import { MIB } from '../../agent/core/units.ts'
import type { Leftover, Location } from '../../agent/locations/location.ts'
import { createRetry } from '../../agent/locations/retry.ts'
import type { Effect } from '../support/ftp/faults.ts'
import { openDouble, startDouble } from '../support/ftp/location.ts'
import type { FtpDouble, FtpOptions } from '../support/ftp/server.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'

const SILENCE_MS = 400
const signal = new AbortController().signal
const bytes = randomBytes(30 * MIB)

let ftp: FtpDouble
let location: Location

afterEach(async () => {
  await location?.close()
  await ftp?.stop()
})

describe('an upload that breaks', () => {
  it.each<[string, Effect]>([
    ['the data connection', { kind: 'cut', bytes: 20 * MIB }],
    ['the control connection', { kind: 'reset-after' }],
    ['everything in silence', { kind: 'silence', bytes: 20 * MIB }],
    // As vsftpd, when one of the two processes of the session has died.
    ['the session itself', { kind: 'cut', bytes: 20 * MIB, code: 500, text: 'OOPS: priv_sock_get_cmd' }],
  ])('goes on behind what the server keeps: %s', async (_, effect) => {
    await start()
    ftp.fail({ command: 'STOR', effect })
    expect(await put(bytes)).toBe(bytes.length)
    expect([...ftp.files.keys()]).toEqual(['/key'])
    expect(ftp.files.get('/key')?.bytes.equals(bytes)).toBe(true)
    if (effect.kind !== 'reset-after') expect(ftp.count('REST')).toBe(1)
  })

  it('goes on as often as each connection brings something', async () => {
    await start()
    for (let nth = 1; nth <= 5; nth += 1) {
      ftp.fail({ command: 'STOR', nth, effect: { kind: 'cut', bytes: nth * 4 * MIB } })
    }
    expect(await put(bytes)).toBe(bytes.length)
    expect(ftp.count('STOR')).toBe(6)
    expect(ftp.files.get('/key')?.bytes.equals(bytes)).toBe(true)
  })

  it('begins again under another name when the server kept nothing and the start is still at hand', async () => {
    await start()
    ftp.fail({ command: 'STOR', effect: { kind: 'cut', bytes: 0 } })
    const leftovers: Leftover[] = []
    const small = bytes.subarray(0, 8 * MIB)
    await location.put('key', sliced(small, 100_000), { signal, onLeftover: async (one) => void leftovers.push(one) })
    expect(new Set(leftovers.map(({ handle }) => handle)).size).toBe(2)
    expect(stored()).toHaveLength(2)
    expect(new Set(stored()).size).toBe(2)
    expect([...ftp.files.keys()]).toEqual(['/key'])
    expect(ftp.files.get('/key')?.bytes.equals(small)).toBe(true)
  })

  it('says what broke when what is missing is no longer at hand', async () => {
    await start()
    ftp.fail({ command: 'STOR', effect: { kind: 'cut', bytes: 20 * MIB } })
    ftp.fail({ command: 'SIZE', effect: { kind: 'answer', code: 213, text: String(MIB) } })
    expect(await failureOf(put(bytes))).toMatchObject({ code: 'unreachable', retryable: true })
    expect([...ftp.files.keys()]).toEqual([])
  })

  it('says what broke when the server cannot begin in the middle', async () => {
    await start()
    ftp.fail({ command: 'STOR', effect: { kind: 'cut', bytes: 20 * MIB } })
    ftp.fail({ command: 'REST', effect: { kind: 'answer', code: 502, text: 'Not here.' } })
    expect(await failureOf(put(bytes))).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('426 Failure reading network stream'),
    })
    expect([...ftp.files.keys()]).toEqual([])
  })

  it('takes a server for full that cuts the connection at one place, again and again', async () => {
    await start()
    ftp.fail({ command: 'STOR', times: 9, effect: { kind: 'cut', bytes: 20 * MIB } })
    expect(await failureOf(put(bytes))).toMatchObject({
      code: 'no_space',
      retryable: false,
      message: expect.stringContaining(`keeps ${20 * MIB} bytes and takes no more`),
      hint: expect.stringContaining('quota'),
    })
    expect([...ftp.files.keys()]).toEqual([])
  })

  it('keeps the failure of the body, however often the connection broke', async () => {
    await start()
    ftp.fail({ command: 'STOR', effect: { kind: 'cut', bytes: 4 * MIB } })
    const broken = new Failure('reading hubbledb: gone', { code: 'unavailable', retryable: true })
    async function* body() {
      yield* sliced(bytes, MIB)
      throw broken
    }
    expect(await failureOf(location.put('key', body(), { signal }))).toBe(broken)
    expect([...ftp.files.keys()]).toEqual([])
  })

  it('is not renamed when the server lost bytes in the middle of going on', async () => {
    await start()
    ftp.fail({ command: 'STOR', effect: { kind: 'cut', bytes: 20 * MIB } })
    ftp.fail({ command: 'STOR', nth: 2, effect: { kind: 'truncate', bytes: 1000 } })
    expect(await failureOf(put(bytes))).toMatchObject({ code: 'damaged' })
    expect([...ftp.files.keys()]).toEqual([])
  })
})

describe('a download that breaks', () => {
  it.each<[string, Effect]>([
    ['is cut', { kind: 'cut', bytes: 2 * MIB }],
    ['ends short, confirmed all the same', { kind: 'truncate', bytes: 2 * MIB }],
    ['stops moving', { kind: 'silence', bytes: 2 * MIB }],
    ['loses its control connection at the end', { kind: 'reset-after' }],
  ])('goes on where it was when it %s', async (_, effect) => {
    await start()
    ftp.seed('/key', bytes)
    ftp.fail({ command: 'RETR', times: 2, effect })
    expect((await collect(location.get('key', { signal }))).equals(bytes)).toBe(true)
  })

  it('says what broke when the server cannot begin in the middle', async () => {
    await start()
    ftp.seed('/key', bytes)
    ftp.fail({ command: 'RETR', effect: { kind: 'cut', bytes: 2 * MIB } })
    ftp.fail({ command: 'REST', effect: { kind: 'answer', code: 502, text: 'Not here.' } })
    expect(await failureOf(collect(location.get('key', { signal })))).toMatchObject({ code: 'unreachable' })
  })

  it('does not join two files of different sizes', async () => {
    await start()
    ftp.seed('/key', bytes)
    ftp.fail({ command: 'RETR', effect: { kind: 'cut', bytes: 2 * MIB } })
    ftp.fail({ command: 'SIZE', nth: 2, effect: { kind: 'answer', code: 213, text: '40000000' } })
    expect(await failureOf(collect(location.get('key', { signal })))).toMatchObject({
      message: expect.stringContaining('replaced meanwhile'),
    })
  })
})

describe('the control connection during a transfer', () => {
  it.each(['at once', 'behind the final reply', 'as unknown', 'never'] as const)(
    'is used, and stays in step when NOOP is answered %s',
    async (noopDuringTransfer) => {
      await start({ noopDuringTransfer })
      location = openDouble(ftp, {}, 10_000, { keepAliveMs: 20 })
      async function* slow() {
        for (let turn = 0; turn < 10; turn += 1) {
          await new Promise((resolve) => setTimeout(resolve, 20))
          yield Buffer.from(String(turn))
        }
      }
      await location.put('folder/key', slow(), { signal })
      expect(ftp.count('NOOP')).toBeGreaterThan(0)
      expect((await collect(location.get('folder/key', { signal }))).toString()).toBe('0123456789')
      expect(await location.list('folder/', { signal })).toHaveLength(1)
    },
  )
})

async function start(options: Partial<FtpOptions> = {}): Promise<void> {
  ftp = await startDouble(options)
  location = openDouble(ftp, {}, SILENCE_MS, { retry: createRetry({ clock: systemClock, attempts: 3, baseMs: 20 }) })
}

async function put(body: Buffer): Promise<number> {
  const { sizeBytes } = await location.put('key', body.length > MIB ? sliced(body, MIB) : streamOf(body), { signal })
  return sizeBytes
}

/** The names that were uploaded to. */
function stored(): string[] {
  return ftp.commands.filter((line) => line.startsWith('STOR ')).map((line) => line.slice(5))
}

async function failureOf(promise: Promise<unknown>): Promise<Failure | undefined> {
  return (await errorOf(promise)) as Failure | undefined
}
