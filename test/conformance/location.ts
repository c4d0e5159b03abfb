import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Failure } from '../../agent/core/errors.ts'
import type { Leftover, Location } from '../../agent/locations/location.ts'
import { replayable } from '../../agent/locations/location.ts'
import { collect, errorOf, streamOf } from '../support/streams.ts'

export interface LocationUnderTest {
  readonly location: Location
  readonly cleanUp: () => Promise<void>
  /** Everything the server keeps that `list` does not show: temporary files, unfinished uploads. */
  readonly hidden?: () => Promise<readonly string[]>
}

export interface ConformanceOptions {
  /** Objects in the long listing; fewer where a server takes long for each. */
  readonly manyKeys?: number
  /** Larger than what the location sends in one piece. */
  readonly largeBytes?: number
  /** Names this server is known to refuse, each with the reason. */
  readonly refusedNames?: Readonly<Record<string, string>>
}

const ODD_NAMES = [
  'a space',
  'ümlaut-雪',
  'plus+plus',
  '100%',
  'semi;colon',
  '-dash',
  '[brackets]*',
  "quote's",
  'tilde~',
  'a=b&c',
]

/** What every location promises (agent/locations/location.ts), attacked. Call it inside a test file, once a location. */
export function locationConformance(
  name: string,
  make: () => Promise<LocationUnderTest>,
  options: ConformanceOptions = {},
): void {
  const largeBytes = options.largeBytes ?? 20 * 1024 * 1024
  describe(`location ${name}`, () => {
    let made: LocationUnderTest
    let location: Location
    const live = () => ({ signal: new AbortController().signal })
    const read = async (key: string, offset = 0) => await collect(location.get(key, { ...live(), offset }))
    const put = (key: string, bytes: Uint8Array) => location.put(key, streamOf(bytes), live())
    const keys = async (prefix: string) => (await location.list(prefix, live())).map(({ key }) => key)
    const failureOf = async (promise: Promise<unknown>) => (await errorOf(promise)) as Failure | undefined

    beforeAll(async () => {
      made = await make()
      location = made.location
    })
    afterAll(async () => {
      await location?.close()
      await made?.cleanUp()
    })

    it.each([0, 1, 1000, 64 * 1024 + 1, 8 * 1024 * 1024, 8 * 1024 * 1024 + 1])(
      'gives back %i bytes as they were',
      async (size) => {
        const bytes = randomBytes(size)
        expect(await put(`sizes/${size}`, bytes)).toEqual({ sizeBytes: size })
        expect((await read(`sizes/${size}`)).equals(bytes)).toBe(true)
        expect(await location.stat(`sizes/${size}`, live())).toMatchObject({ key: `sizes/${size}`, sizeBytes: size })
      },
    )

    it('gives back a large body that came in pieces of any size', async () => {
      const bytes = randomBytes(largeBytes)
      const sizes = [1, 70_000, 3, 1_000_000, 5_000_000]
      async function* pieces() {
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1
          yield bytes.subarray(at, at + size)
          at += size
        }
      }
      expect(await location.put('large', pieces(), live())).toEqual({ sizeBytes: largeBytes })
      expect((await read('large')).equals(bytes)).toBe(true)
      expect((await read('large', largeBytes - 10)).equals(bytes.subarray(-10))).toBe(true)
    })

    it('reads from an offset, and nothing at or behind the end', async () => {
      await put('offset', Buffer.from('0123456789'))
      expect((await read('offset', 4)).toString()).toBe('456789')
      expect((await read('offset', 10)).length).toBe(0)
      expect((await read('offset', 11)).length).toBe(0)
    })

    it('replaces an object as a whole', async () => {
      await put('replaced', Buffer.from('the first, longer one'))
      await put('replaced', Buffer.from('second'))
      expect((await read('replaced')).toString()).toBe('second')
    })

    it('shows the old object while a new one is on its way', async () => {
      await put('atomic', Buffer.from('old'))
      let seen = ''
      async function* slow() {
        yield randomBytes(100_000)
        seen = (await read('atomic')).toString()
        yield randomBytes(100_000)
      }
      await location.put('atomic', slow(), live())
      expect(seen).toBe('old')
      expect((await read('atomic')).length).toBe(200_000)
    })

    it('says not_found for what is not there', async () => {
      expect(await failureOf(read('nowhere/nothing'))).toMatchObject({ name: 'Failure', code: 'not_found' })
      expect(await location.stat('nowhere/nothing', live())).toBeUndefined()
      expect(await keys('nowhere/')).toEqual([])
    })

    it('lists below a folder at any depth, in order of keys, and no more than the folder', async () => {
      for (const key of ['tree/b', 'tree/a/2', 'tree/a/1', 'tree/a/deep/er', 'tree2/x', 'tre'])
        await put(key, Buffer.from(key))
      expect(await keys('tree/')).toEqual(['tree/a/1', 'tree/a/2', 'tree/a/deep/er', 'tree/b'])
      expect(await keys('tree/a/')).toEqual(['tree/a/1', 'tree/a/2', 'tree/a/deep/er'])
      const entry = (await location.list('tree/', live()))[0]
      expect(entry?.sizeBytes).toBe(8)
    })

    it('lists what lies in a folder itself, when no more is wanted', async () => {
      for (const key of ['shallow/one', 'shallow/deep/two', 'shallow/three']) await put(key, Buffer.from(key))
      const entries = await location.list('shallow/', { ...live(), shallow: true })
      expect(entries.map(({ key }) => key).filter((key) => !key.startsWith('shallow/deep/'))).toEqual([
        'shallow/one',
        'shallow/three',
      ])
    })

    it('lists names that begin with a dot', async () => {
      await put('dots/.runs/one.json', Buffer.from('{}'))
      expect(await keys('dots/')).toEqual(['dots/.runs/one.json'])
    })

    it('lists more than a page', async () => {
      const count = options.manyKeys ?? 1001
      const expected = Array.from({ length: count }, (_, index) => `many/${String(index).padStart(5, '0')}`)
      for (let at = 0; at < count; at += 20) {
        await Promise.all(expected.slice(at, at + 20).map((key) => put(key, Buffer.from('x'))))
      }
      expect(await keys('many/')).toEqual(expected)
    }, 120_000)

    it.each(ODD_NAMES)('keeps an object named %j apart', async (odd) => {
      const key = `odd/${odd}/${odd}.bin`
      if (options.refusedNames?.[odd])
        return expect(await failureOf(put(key, Buffer.from(odd)))).toMatchObject({ name: 'Failure' })
      await put(key, Buffer.from(odd))
      expect((await read(key)).toString()).toBe(odd)
      expect(await keys(`odd/${odd}/`)).toEqual([key])
      await location.delete(key, live())
      expect(await location.stat(key, live())).toBeUndefined()
    })

    it.each(['../outside', 'a/../../b', '/absolute', 'a//b', '', 'a/./b', 'trailing/'])(
      'refuses the key %j before a byte moves',
      async (key) => {
        let pulled = false
        async function* body() {
          pulled = true
          yield Buffer.from('x')
        }
        expect(await failureOf(location.put(key, body(), live()))).toMatchObject({ name: 'Failure', code: 'internal' })
        expect(await failureOf(read(key))).toMatchObject({ code: 'internal' })
        expect(await failureOf(location.delete(key, live()))).toMatchObject({ code: 'internal' })
        expect(pulled).toBe(false)
      },
    )

    it('deletes, and deleting again succeeds', async () => {
      await put('deleted', Buffer.from('x'))
      await location.delete('deleted', live())
      expect(await location.stat('deleted', live())).toBeUndefined()
      await location.delete('deleted', live())
      await location.delete('never/there', live())
    })

    it('keeps nothing when the body fails at once', async () => {
      const broken = Object.assign(new Error('broken'), { code: 'BODY' })
      // biome-ignore lint/correctness/useYield: it fails before its first chunk
      async function* body(): AsyncGenerator<Uint8Array> {
        throw broken
      }
      expect(await failureOf(location.put('broken/start', body(), live()))).toMatchObject({
        message: expect.stringContaining('broken'),
      })
      await nothingLeft('broken/start')
    })

    it.each([10, 9_000_000, 18_000_000])('keeps nothing when the body fails after %i bytes', async (size) => {
      async function* body() {
        for (let at = 0; at < size; at += 500_000) yield randomBytes(Math.min(500_000, size - at))
        throw new Error('the body broke')
      }
      expect(await failureOf(location.put('broken/middle', body(), live()))).toMatchObject({
        message: expect.stringContaining('the body broke'),
      })
      await nothingLeft('broken/middle')
    })

    it('keeps the old object when the new body fails', async () => {
      await put('kept', Buffer.from('good'))
      async function* body() {
        yield randomBytes(10)
        throw new Error('the body broke')
      }
      await failureOf(location.put('kept', body(), live()))
      expect((await read('kept')).toString()).toBe('good')
    })

    it('does nothing when it is aborted before it begins', async () => {
      const signal = AbortSignal.abort()
      expect(await failureOf(location.put('aborted', streamOf(Buffer.from('x')), { signal }))).toMatchObject({
        code: 'cancelled',
      })
      expect(await failureOf(location.list('aborted/', { signal }))).toMatchObject({ code: 'cancelled' })
      expect(await failureOf(location.delete('aborted', { signal }))).toMatchObject({ code: 'cancelled' })
      expect(await failureOf(location.stat('aborted', { signal }))).toMatchObject({ code: 'cancelled' })
      expect(await failureOf(collect(location.get('aborted', { signal })))).toMatchObject({ code: 'cancelled' })
      await nothingLeft('aborted')
    })

    it.each([100_000, 9_000_000])('stops a put that is aborted after %i bytes and leaves nothing', async (size) => {
      const controller = new AbortController()
      async function* body() {
        for (let at = 0; at < size; at += 100_000) yield randomBytes(100_000)
        controller.abort()
        yield randomBytes(100_000)
        await new Promise(() => undefined)
      }
      expect(await failureOf(location.put('aborted/put', body(), { signal: controller.signal }))).toMatchObject({
        code: 'cancelled',
      })
      await nothingLeft('aborted/put')
    })

    it('stops a get that is aborted', async () => {
      await put('aborted-get', randomBytes(4_000_000))
      const controller = new AbortController()
      const reading = async () => {
        for await (const _ of location.get('aborted-get', { signal: controller.signal })) controller.abort()
      }
      expect(await failureOf(reading())).toMatchObject({ code: 'cancelled' })
      expect((await read('aborted-get')).length).toBe(4_000_000)
    })

    it('goes on after many gets that were given up early', async () => {
      await put('given-up', randomBytes(3_000_000))
      for (let round = 0; round < 8; round += 1) {
        for await (const chunk of location.get('given-up', live())) {
          expect(chunk.length).toBeGreaterThan(0)
          break
        }
      }
      expect((await read('given-up')).length).toBe(3_000_000)
    })

    it('keeps one of two objects that are written under one key at once, whole', async () => {
      const bodies = [Buffer.alloc(3_000_000, 'a'), Buffer.alloc(2_000_000, 'b')]
      await Promise.all(bodies.map((bytes) => put('raced', bytes)))
      const kept = await read('raced')
      expect(bodies.some((bytes) => bytes.equals(kept))).toBe(true)
    })

    it('lists while another deletes', async () => {
      const names = Array.from({ length: 40 }, (_, index) => `shrinking/${index}`)
      for (const key of names) await put(key, Buffer.from('x'))
      const deleting = (async () => {
        for (const key of names) await location.delete(key, live())
      })()
      for (let round = 0; round < 5; round += 1) expect((await keys('shrinking/')).length).toBeLessThanOrEqual(40)
      await deleting
      expect(await keys('shrinking/')).toEqual([])
    })

    it('names what an unfinished put holds, and another one can remove it', async () => {
      const leftovers: Leftover[] = []
      const controller = new AbortController()
      const stuck = Promise.withResolvers<void>()
      async function* body() {
        for (let at = 0; at < 19; at += 1) yield randomBytes(1_000_000)
        stuck.resolve()
        await new Promise(() => undefined)
      }
      const putting = location.put('dead/put', body(), {
        signal: controller.signal,
        onLeftover: async (leftover) => void leftovers.push(leftover),
      })
      putting.catch(() => undefined)
      await stuck.promise
      expect(leftovers).toHaveLength(1)
      expect(await location.stat('dead/put', live())).toBeUndefined()
      for (const leftover of leftovers) await location.discard(leftover, live())
      for (const leftover of leftovers) await location.discard(leftover, live())
      controller.abort()
      await errorOf(putting)
      await nothingLeft('dead/put')
    })

    it('does not begin when what it would leave behind cannot be put on record', async () => {
      const onLeftover = async () => {
        throw new Error('no record')
      }
      const body = streamOf(randomBytes(9_000_000))
      expect(await failureOf(location.put('unrecorded', body, { ...live(), onLeftover }))).toMatchObject({
        message: expect.stringContaining('no record'),
      })
      await nothingLeft('unrecorded')
    })

    it('takes a body that can be read again', async () => {
      await location.put('replayable', replayable(Buffer.from('again')), live())
      expect((await read('replayable')).toString()).toBe('again')
    })

    it('waits for a slow body', async () => {
      async function* body() {
        for (let turn = 0; turn < 5; turn += 1) {
          await new Promise((resolve) => setTimeout(resolve, 100))
          yield Buffer.from(String(turn))
        }
      }
      await location.put('slow', body(), live())
      expect((await read('slow')).toString()).toBe('01234')
    })

    async function nothingLeft(key: string): Promise<void> {
      expect(await location.stat(key, live())).toBeUndefined()
      expect((await made.hidden?.()) ?? []).toEqual([])
    }
  })
}
