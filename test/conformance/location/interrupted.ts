import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { collect, streamOf } from '../../support/streams.ts'
import type { Subject } from './subject.ts'

/** A body that breaks, and a caller who stops: what was there stays, and nothing new does. */
export function interruptedCases(subject: Subject): void {
  const { live, read, put, failureOf, nothingLeft } = subject

  it('keeps nothing when the body fails at once', async () => {
    const broken = Object.assign(new Error('broken'), { code: 'BODY' })
    // biome-ignore lint/correctness/useYield: it fails before its first chunk
    async function* body(): AsyncGenerator<Uint8Array> {
      throw broken
    }
    expect(await failureOf(subject.location.put('broken/start', body(), live()))).toMatchObject({
      message: expect.stringContaining('broken'),
    })
    await nothingLeft('broken/start')
  })

  it.each([10, 9_000_000, 18_000_000])('keeps nothing when the body fails after %i bytes', async (size) => {
    async function* body() {
      for (let at = 0; at < size; at += 500_000) yield randomBytes(Math.min(500_000, size - at))
      throw new Error('the body broke')
    }
    expect(await failureOf(subject.location.put('broken/middle', body(), live()))).toMatchObject({
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
    await failureOf(subject.location.put('kept', body(), live()))
    expect((await read('kept')).toString()).toBe('good')
  })

  it('does nothing when it is aborted before it begins', async () => {
    const signal = AbortSignal.abort()
    expect(await failureOf(subject.location.put('aborted', streamOf(Buffer.from('x')), { signal }))).toMatchObject({
      code: 'cancelled',
    })
    expect(await failureOf(subject.location.list('aborted/', { signal }))).toMatchObject({ code: 'cancelled' })
    expect(await failureOf(subject.location.delete('aborted', { signal }))).toMatchObject({ code: 'cancelled' })
    expect(await failureOf(subject.location.stat('aborted', { signal }))).toMatchObject({ code: 'cancelled' })
    expect(await failureOf(collect(subject.location.get('aborted', { signal })))).toMatchObject({ code: 'cancelled' })
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
    expect(await failureOf(subject.location.put('aborted/put', body(), { signal: controller.signal }))).toMatchObject({
      code: 'cancelled',
    })
    await nothingLeft('aborted/put')
  })

  it('stops a get that is aborted', async () => {
    await put('aborted-get', randomBytes(4_000_000))
    const controller = new AbortController()
    const reading = async () => {
      for await (const _ of subject.location.get('aborted-get', { signal: controller.signal })) controller.abort()
    }
    expect(await failureOf(reading())).toMatchObject({ code: 'cancelled' })
    expect((await read('aborted-get')).length).toBe(4_000_000)
  })
}
