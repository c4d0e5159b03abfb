import { randomBytes } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrameCompressor } from '../../agent/pack/frame-compressor.ts'
import { errorOf } from '../support/streams.ts'

const MOST = 100_000

describe('a compressor of frames', () => {
  let compressor: FrameCompressor

  beforeEach(() => {
    compressor = new FrameCompressor(1, MOST)
  })
  afterEach(() => compressor.close())

  it('writes every frame to the same memory, and what it gave before stays as it was', async () => {
    const contents = [MOST, 1, MOST, 70_000, MOST, 0, MOST].map((size) => randomBytes(size))
    const frames: (readonly Uint8Array[])[] = []
    for (const content of contents) frames.push(await compressor.compress(content))
    // Were it to write on behind the last one, some would come in two pieces: what cannot be packed fills the memory.
    expect(frames.map((pieces) => pieces.length)).toEqual(contents.map(() => 1))
    for (const [index, pieces] of frames.entries()) {
      expect(zstdDecompressSync(Buffer.concat(pieces)).equals(contents[index] ?? Buffer.alloc(0))).toBe(true)
    }
  })

  it('packs more than it has room for, in pieces', async () => {
    const content = randomBytes(3 * MOST)
    const pieces = await compressor.compress(content)
    expect(pieces.length).toBeGreaterThan(1)
    expect(zstdDecompressSync(Buffer.concat(pieces)).equals(content)).toBe(true)
  })

  it('rejects what it was packing when it is closed', async () => {
    const packing = errorOf(compressor.compress(randomBytes(MOST)))
    compressor.close()
    expect(await packing).toMatchObject({ message: 'the compressor was closed' })
  })
})
