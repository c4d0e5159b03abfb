import { BufferPool, CHUNK_BYTES, recycle } from '../core/buffer-pool.ts'
import { FrameCompressor } from './frame-compressor.ts'
import { mapOrdered } from './ordered.ts'

export interface CompressOptions {
  /** Zstandard level, 1 to 19. */
  readonly level: number
  /** Uncompressed bytes of a frame. */
  readonly frameBytes?: number
  /** Frames compressed side by side on libuv's thread pool. */
  readonly concurrency?: number
}

/**
 * Packs a stream as independent zstd frames, one after another: together one valid `.zst` (RFC 8878, section 3.1),
 * compressed on more than one core, and unpacked the same way. Each frame names its content size and carries a
 * checksum of its content. Chunks that lie in the memory of a pool go back to it once they are packed.
 */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  { level, frameBytes = CHUNK_BYTES, concurrency = 2 }: CompressOptions,
): AsyncGenerator<Uint8Array> {
  const lanes = Array.from({ length: concurrency }, () => new FrameCompressor(level, frameBytes))
  const idle = [...lanes]
  const packed = mapOrdered(framesOf(source, frameBytes), concurrency, async (content) => {
    const lane = idle.pop()
    if (!lane) throw new Error('more frames are packed at a time than there are lanes')
    const pieces = await lane.compress(content)
    idle.push(lane)
    recycle(content)
    return pieces
  })
  try {
    for await (const pieces of packed) yield* pieces
  } finally {
    for (const lane of lanes) lane.close()
  }
}

/** Cuts a stream into pieces of `size` bytes, the last one shorter; a chunk that has that size is handed on uncopied. */
async function* framesOf(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  const pool = new BufferPool(size, 3)
  let frame: Buffer | undefined
  let filled = 0
  for await (const chunk of source) {
    if (filled === 0 && chunk.length === size) {
      yield chunk
      continue
    }
    for (let start = 0; start < chunk.length; ) {
      frame ??= pool.take()
      const part = chunk.subarray(start, start + size - filled)
      frame.set(part, filled)
      filled += part.length
      start += part.length
      if (filled === size) {
        yield frame
        frame = undefined
        filled = 0
      }
    }
    recycle(chunk)
  }
  if (frame && filled > 0) yield frame.subarray(0, filled)
}
