import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { MIB } from '../../../agent/core/units.ts'
import { replayable } from '../../../agent/locations/location.ts'
import type { ConformanceOptions, Subject } from './subject.ts'

/** What was put is what is got, whole or from an offset, whoever writes and reads beside it. */
export function contentCases(subject: Subject, options: ConformanceOptions): void {
  const { live, read, put, keys, failureOf } = subject
  const { largeBytes = 20 * MIB } = options

  it.each([0, 1, 1000, 64 * 1024 + 1, 8 * 1024 * 1024, 8 * 1024 * 1024 + 1])(
    'gives back %i bytes as they were',
    async (size) => {
      const bytes = randomBytes(size)
      expect(await put(`sizes/${size}`, bytes)).toEqual({ sizeBytes: size })
      expect((await read(`sizes/${size}`)).equals(bytes)).toBe(true)
      expect(await subject.location.stat(`sizes/${size}`, live())).toMatchObject({
        key: `sizes/${size}`,
        sizeBytes: size,
      })
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
    expect(await subject.location.put('large', pieces(), live())).toEqual({ sizeBytes: largeBytes })
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
    await subject.location.put('atomic', slow(), live())
    expect(seen).toBe('old')
    expect((await read('atomic')).length).toBe(200_000)
  })

  it('says not_found for what is not there', async () => {
    expect(await failureOf(read('nowhere/nothing'))).toMatchObject({ name: 'Failure', code: 'not_found' })
    expect(await subject.location.stat('nowhere/nothing', live())).toBeUndefined()
    expect(await keys('nowhere/')).toEqual([])
  })

  it('goes on after many gets that were given up early', async () => {
    await put('given-up', randomBytes(3_000_000))
    for (let round = 0; round < 8; round += 1) {
      for await (const chunk of subject.location.get('given-up', live())) {
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

  it('takes a body that can be read again', async () => {
    await subject.location.put('replayable', replayable(Buffer.from('again')), live())
    expect((await read('replayable')).toString()).toBe('again')
  })

  it('waits for a slow body', async () => {
    async function* body() {
      for (let turn = 0; turn < 5; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        yield Buffer.from(String(turn))
      }
    }
    await subject.location.put('slow', body(), live())
    expect((await read('slow')).toString()).toBe('01234')
  })
}
