import { constants, createZstdCompress } from 'node:zlib'

/** Output is taken in pieces of this size: database content packs to a quarter or less. */
const PIECE_BYTES = 512 * 1024

/**
 * Makes one whole zstd frame of each piece of content, one at a time, on libuv's thread pool. Its tables, several MiB, are
 * made once and not for every frame.
 */
export class FrameCompressor {
  readonly #stream
  #pieces: Uint8Array[] = []
  #reject: ((thrown: Error) => void) | undefined

  constructor(level: number) {
    this.#stream = createZstdCompress({
      params: {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_checksumFlag]: 1,
        [constants.ZSTD_c_contentSizeFlag]: 1,
      },
      chunkSize: PIECE_BYTES,
      // Every write is a frame of its own: the encoder sees its end together with its beginning, and so names its size.
      flush: constants.ZSTD_e_end,
    })
    this.#stream.on('data', (piece: Uint8Array) => void this.#pieces.push(piece))
    this.#stream.on('error', (thrown) => this.#reject?.(thrown))
  }

  /** The pieces of the frame. The content must not change until then. */
  compress(content: Uint8Array): Promise<readonly Uint8Array[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Uint8Array[]>()
    this.#reject = reject
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
