import { randomBytes } from 'node:crypto'
import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compress } from '../../agent/pack/compress.ts'
import { decompress } from '../../agent/pack/decompress.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'

const SMALL = { level: 1, frameBytes: 1024 }

describe('compress and decompress', () => {
  it('give back what went in, however it is cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 9000 }), fc.integer({ min: 1, max: 5000 }), async (bytes, size) => {
        const packed = await collect(compress(sliced(bytes, size), SMALL))
        for (const pieces of [1, 7, 4096]) {
          expect(Buffer.compare(await collect(decompress(sliced(packed, pieces))), bytes)).toBe(0)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('writes frames that tell their size and carry a checksum', async () => {
    const packed = await collect(compress(streamOf(Buffer.alloc(3000, 1)), SMALL))
    const descriptor = packed[4] ?? 0
    expect(descriptor & 0x04).toBe(0x04)
    expect(descriptor >> 6 || descriptor & 0x20).not.toBe(0)
  })

  it('unpacks frames that do not tell their size, and skips skippable ones', async () => {
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
    const packed = Buffer.concat([zstdCompressSync('one '), skippable, zstdCompressSync('two')])
    expect((await collect(decompress(sliced(packed, 5)))).toString()).toBe('one two')
  })

  it('finds every flipped bit of the content', async () => {
    const original = randomBytes(500)
    const packed = await collect(compress(streamOf(original), SMALL))
    for (let at = 0; at < packed.length; at += 1) {
      const damaged = Buffer.from(packed)
      damaged[at] = (damaged[at] ?? 0) ^ 0x10
      const outcome = await collect(decompress(streamOf(damaged))).catch((thrown: unknown) => thrown)
      // A bit of the header may change how it is stored and not what it holds; it must never change the content.
      if (Buffer.isBuffer(outcome)) expect(Buffer.compare(outcome, original)).toBe(0)
      else expect(outcome).toMatchObject({ code: expect.stringMatching(/damaged|unsupported/) })
    }
  })

  it('finds an end in the middle of a frame, naming the offset', async () => {
    const packed = await collect(compress(streamOf(Buffer.alloc(3000, 7)), SMALL))
    const error = await errorOf(collect(decompress(streamOf(packed.subarray(0, -1)))))
    expect(error).toMatchObject({ code: 'damaged', message: expect.stringMatching(/zstd stream at byte \d+: it ends/) })
  })

  it('passes on the error of its source', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(5000)
      throw new Error('source broke')
    }
    expect(await errorOf(collect(compress(failing(), SMALL)))).toMatchObject({ message: 'source broke' })
  })
})
