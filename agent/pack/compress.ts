import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import { MIB } from '../core/units.ts'
import { mapOrdered } from './ordered.ts'

export interface CompressOptions {
  /** Zstandard level, 1 to 19. */
  readonly level: number
  /** Uncompressed bytes of a frame. */
  readonly frameBytes?: number
  /** Frames compressed side by side on libuv's thread pool. */
  readonly concurrency?: number
}

const compressFrame = promisify(zstdCompress)

/**
 * Packs a stream as independent zstd frames, one after another: together one valid `.zst` (RFC 8878, section 3.1),
 * compressed on more than one core, and unpacked the same way. Each frame names its content size and carries a
 * checksum of its content.
 */
export async function* compress(
  source: AsyncIterable<Uint8Array>,
  { level, frameBytes = 4 * MIB, concurrency = 2 }: CompressOptions,
): AsyncGenerator<Uint8Array> {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_checksumFlag]: 1,
    [constants.ZSTD_c_contentSizeFlag]: 1,
  }
  // One hop to the pool for every `chunkSize` of output: database content packs to a quarter or less.
  const options = { params, chunkSize: Math.max(64 * 1024, frameBytes / 4) }
  yield* mapOrdered(framesOf(source, frameBytes), concurrency, (frame) =>
    compressFrame(frame, { ...options, pledgedSrcSize: frame.length }),
  )
}

/** Cuts a stream into pieces of `size` bytes, the last one shorter; a chunk that has that size is handed on uncopied. */
async function* framesOf(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let frame: Buffer | undefined
  let filled = 0
  for await (const chunk of source) {
    if (filled === 0 && chunk.length === size) {
      yield chunk
      continue
    }
    for (let start = 0; start < chunk.length; ) {
      frame ??= Buffer.allocUnsafeSlow(size)
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
  }
  if (frame && filled > 0) yield frame.subarray(0, filled)
}
