import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib'
import { KIB } from '../core/units.ts'

/** Memory is taken in multiples of this: database content packs to a quarter or less. */
const COPY_BYTES = 512 * KIB

/** Where the encoder of Node.js goes on writing; without it (should another version name it otherwise) it is slower. */
interface Output {
  _outOffset: number
}

/**
 * Makes one whole zstd frame of each piece of content, one at a time, on libuv's thread pool. Its tables, several MiB, are
 * made once and not for every frame, and all frames are written to the same memory. That has room for the largest frame
 * there can be: then the encoder packs content where it lies, without a copy of it in its own window.
 */
export class FrameCompressor {
  readonly #stream: ZstdCompress & Output
  #pieces: Uint8Array[] = []
  #reject: ((thrown: Error) => void) | undefined

  /** `mostBytes`: of the content of a frame. */
  constructor(level: number, mostBytes: number) {
    this.#stream = createZstdCompress({
      params: {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_checksumFlag]: 1,
        [constants.ZSTD_c_contentSizeFlag]: 1,
      },
      chunkSize: largestFrame(mostBytes),
      // Every write is a frame of its own: the encoder sees its end together with its beginning, and so names its size.
      flush: constants.ZSTD_e_end,
    }) as ZstdCompress & Output
    this.#stream.on('data', (piece: Uint8Array) => void this.#pieces.push(copied(piece)))
    this.#stream.on('error', (thrown) => this.#reject?.(thrown))
  }

  /** The pieces of the frame. The content must not change until then. */
  compress(content: Uint8Array): Promise<readonly Uint8Array[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Uint8Array[]>()
    this.#reject = reject
    this.#stream._outOffset = 0
    this.#stream.write(content, (thrown) => {
      if (thrown) reject(thrown)
      else this.#drained(resolve)
    })
    return promise
  }

  close(): void {
    this.#stream.destroy()
    this.#reject?.(new Error('the compressor was closed'))
  }

  /** What the encoder gave may wait in the stream for one more turn of the loop. */
  #drained(resolve: (pieces: readonly Uint8Array[]) => void): void {
    if (this.#stream.readableLength > 0) {
      this.#stream.once('data', () => this.#drained(resolve))
      return
    }
    const pieces = this.#pieces
    this.#pieces = []
    this.#reject = undefined
    resolve(pieces)
  }
}

/** The next frame is written over it. In memory of few sizes: holes that thousands of sizes leave are filled by none. */
function copied(piece: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(Math.ceil(piece.length / COPY_BYTES) * COPY_BYTES)
  copy.set(piece)
  return copy.subarray(0, piece.length)
}

/** ZSTD_COMPRESSBOUND (zstd.h): what cannot be packed becomes so much larger. */
function largestFrame(contentBytes: number): number {
  const small = Math.max(0, 128 * KIB - contentBytes)
  return contentBytes + (contentBytes >>> 8) + (small >>> 11)
}
