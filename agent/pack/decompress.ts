import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import { Failure } from '../core/errors.ts'
import { MIB } from '../core/units.ts'
import { mapOrdered } from './ordered.ts'
import type { Frame } from './zstd-frames.ts'
import { LARGEST_CONTENT, zstdFrames } from './zstd-frames.ts'

const decompressFrame = promisify(zstdDecompress)

/**
 * Unpacks a `.zst` of any number of frames, `concurrency` frames side by side.
 * Rejects with code `damaged` and the offset of the frame when anything does not fit: a checksum, a size, an end.
 */
export async function* decompress(source: AsyncIterable<Uint8Array>, concurrency = 2): AsyncGenerator<Uint8Array> {
  yield* mapOrdered(zstdFrames(source), concurrency, unpack)
}

async function unpack(frame: Frame): Promise<Uint8Array> {
  const content = await unpackChecked(frame)
  if (frame.contentBytes !== undefined && content.length !== frame.contentBytes) {
    throw new Failure(
      `zstd frame at byte ${frame.offset}: it holds ${content.length} bytes and says ${frame.contentBytes}`,
      { code: 'damaged' },
    )
  }
  return content
}

async function unpackChecked(frame: Frame): Promise<Uint8Array> {
  // One more than announced, so that a frame that lies about its size is found and not cut to fit.
  const maxOutputLength = (frame.contentBytes ?? LARGEST_CONTENT) + 1
  try {
    return await decompressFrame(frame.bytes, {
      maxOutputLength,
      chunkSize: Math.max(64, frame.contentBytes === undefined ? MIB : maxOutputLength),
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Failure(`zstd frame at byte ${frame.offset}: ${reason}`, { code: 'damaged', cause })
  }
}
