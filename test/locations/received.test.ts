import { randomBytes } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { recycle } from '../../agent/core/buffer-pool.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { received } from '../../agent/locations/received.ts'
import { sliced } from '../support/streams.ts'

const KIB = 1024
const silence = { clock: systemClock, limitMs: 60_000, failure: () => new Error('silent') }
const { signal } = new AbortController()

describe('what comes in on a connection', () => {
  it('is given in chunks of one size, the last one shorter, in their order', async () => {
    const bytes = randomBytes(700 * KIB + 3)
    const lengths: number[] = []
    const copies: Buffer[] = []
    for await (const chunk of received(Readable.from(pieces(bytes, 1000)), signal, silence)) {
      lengths.push(chunk.length)
      copies.push(Buffer.from(chunk))
      recycle(chunk)
    }
    expect(lengths).toEqual([256 * KIB, 256 * KIB, 188 * KIB + 3])
    expect(Buffer.concat(copies).equals(bytes)).toBe(true)
  })

  it('stays as it is for who does not recycle it', async () => {
    const bytes = randomBytes(1024 * KIB + 1)
    const kept: Uint8Array[] = []
    for await (const chunk of received(Readable.from(pieces(bytes, 64 * KIB)), signal, silence)) kept.push(chunk)
    expect(Buffer.concat(kept).equals(bytes)).toBe(true)
  })

  it('keeps no more memory than a small object needs', async () => {
    const [chunk] = await collected(received(Readable.from([Buffer.from('{}')]), signal, silence))
    expect(chunk?.buffer.byteLength).toBeLessThan(256 * KIB)
  })

  it('is given up to the failure, which follows it', async () => {
    const stream = new PassThrough()
    const iterator = received(stream, signal, silence)
    stream.write('before')
    const first = iterator.next()
    setImmediate(() => stream.destroy(new Error('cut')))
    expect(Buffer.from((await first).value ?? []).toString()).toBe('before')
    await expect(iterator.next()).rejects.toThrow('cut')
  })

  it('ends in a failure where the connection closes before its end', async () => {
    const stream = new PassThrough()
    setImmediate(() => stream.destroy())
    await expect(collected(received(stream, signal, silence))).rejects.toThrow(/premature/i)
  })

  it('ends with the signal, though nothing comes', async () => {
    const stream = new PassThrough()
    const stop = new AbortController()
    setImmediate(() => stop.abort(new Error('stopped')))
    await expect(collected(received(stream, stop.signal, silence))).rejects.toThrow('stopped')
  })

  it('holds the sender up while nobody reads', async () => {
    let sent = 0
    async function* sending(): AsyncGenerator<Buffer> {
      for (; sent < 4096; sent += 64) yield Buffer.alloc(64 * KIB)
    }
    const iterator = received(Readable.from(sending(), { highWaterMark: 1 }), signal, silence)
    await iterator.next()
    await sleep(50)
    expect(sent).toBeLessThan(512)
    await iterator.return(undefined)
  })
})

/** Copies: whoever receives them may free them. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for await (const piece of sliced(bytes, size)) yield Buffer.from(piece)
}

async function collected(body: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return chunks
}
