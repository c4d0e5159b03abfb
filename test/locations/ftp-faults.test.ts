import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Entry } from '../../agent/locations/location.ts'
import type { Effect } from '../support/ftp/faults.ts'
import { collect } from '../support/streams.ts'
import { fail, failureOf, ftp, live, location, SILENCE_MS, start, useFtp } from './ftp-world.ts'

useFtp()

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

  it('enters those folders below that are wanted, once it knows what lies beside them', async () => {
    await start()
    for (let index = 0; index < 20; index += 1) {
      if (index !== 7) ftp.seed(`/folder/${index}.json`, Buffer.from('x'))
      ftp.seed(`/folder/${index}/artifact`, Buffer.from('x'))
    }
    const enter = (folder: string, beside: readonly Entry[]) =>
      !beside.some(({ key }) => key === folder.replace(/\/$/, '.json'))
    const entries = await location.list('folder/', { ...live(), enter })
    expect(entries.map(({ key }) => key).filter((key) => !key.endsWith('.json'))).toEqual(['folder/7/artifact'])
    expect(entries).toHaveLength(20)
    expect(ftp.count('MLSD')).toBe(2)
  })

  it('asks again without -a where that was taken for a name', async () => {
    await start({ mlsd: false })
    ftp.seed('/key', Buffer.from('x'))
    fail('LIST', { kind: 'truncate', bytes: 0 })
    expect(await location.list('', live())).toEqual([{ key: 'key', sizeBytes: 1 }])
  })
})
