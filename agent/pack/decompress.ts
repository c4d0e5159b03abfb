import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import { Failure } from '../core/errors.ts'
import { MIB } from '../core/units.ts'
import { FrameDecompressor } from './frame-decompressor.ts'
import { mapOrdered } from './ordered.ts'
import type { Frame } from './zstd-frames.ts'
import { LARGEST_CONTENT, zstdFrames } from './zstd-frames.ts'

const decompressFrame = promisify(zstdDecompress)

/**
 * Unpacks a `.zst` of any number of frames, `concurrency` frames side by side. Its chunks may be recycled.
 * Rejects with code `damaged` and the offset of the frame when anything does not fit: a checksum, a size, an end.
 */
export async function* decompress(source: AsyncIterable<Uint8Array>, concurrency = 2): AsyncGenerator<Uint8Array> {
  const lanes = Array.from({ length: concurrency }, () => new FrameDecompressor())
  const idle = [...lanes]
  try {
    yield* mapOrdered(zstdFrames(source), concurrency, async (frame) => {
      const { contentBytes, offset } = frame
      if (contentBytes === undefined || contentBytes > FrameDecompressor.LARGEST_CONTENT) return await unpack(frame)
      const lane = idle.pop()
      if (!lane) throw new Error('more frames are unpacked at a time than there are lanes')
      try {
        const content = await lane.decompress(frame.bytes, contentBytes)
        idle.push(lane)
        return content
      } catch (cause) {
        throw damaged(offset, cause)
      }
    })
  } finally {
    for (const lane of lanes) lane.close()
  }
}

/** Unpacks a frame of another program, which may be large, or not say what it holds. */
async function unpack({ bytes, contentBytes, offset }: Frame): Promise<Uint8Array> {
  // One more than announced, so that a frame that lies about its size is found and not cut to fit.
  const maxOutputLength = (contentBytes ?? LARGEST_CONTENT) + 1
  const chunkSize = Math.max(64, contentBytes === undefined ? MIB : maxOutputLength)
  const content = await decompressFrame(bytes, { maxOutputLength, chunkSize }).catch((cause: unknown) => {
    throw damaged(offset, cause)
  })
  if (contentBytes === undefined || content.length === contentBytes) return content
  throw damaged(offset, new Error(`it holds ${content.length} bytes and says ${contentBytes}`))
}

function damaged(offset: number, cause: unknown): Failure {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new Failure(`zstd frame at byte ${offset}: ${reason}`, { code: 'damaged', cause })
}
