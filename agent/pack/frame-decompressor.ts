import { createZstdDecompress, type ZstdDecompress } from 'node:zlib'
import { BufferPool, CHUNK_BYTES } from '../core/buffer-pool.ts'

/** A frame of this program, and a little, so that the decoder never asks for more room. */
const ROOM_BYTES = CHUNK_BYTES + 64
const pool = new BufferPool(ROOM_BYTES, 6)

/** Where the decoder of Node.js writes to; without it (should another version name it otherwise) it makes new memory. */
interface Output {
  _outBuffer: Buffer
  _outOffset: number
}

/** Unpacks one zstd frame at a time, on libuv's thread pool, with tables that are made once and into memory that goes round. */
export class FrameDecompressor {
  static readonly LARGEST_CONTENT = CHUNK_BYTES
  readonly #stream = createZstdDecompress({ chunkSize: ROOM_BYTES }) as ZstdDecompress & Output
  #pieces: Uint8Array[] = []
  #bytes = 0
  #expected = 0
  #settle: { resolve: (content: Uint8Array) => void; reject: (thrown: Error) => void } | undefined

  constructor() {
    this.#stream.on('data', (piece: Uint8Array) => this.#take(piece))
    this.#stream.on('error', (thrown) => this.#settle?.reject(thrown))
    this.#stream.on('end', () => this.#settle?.reject(new Error('it ends before its bytes do')))
  }

  /**
   * What the frame holds, which may be recycled. Rejects where it is damaged or does not hold as many bytes as it says;
   * then this decoder is of no use any more.
   */
  decompress(frame: Uint8Array, contentBytes: number): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    this.#settle = { resolve, reject }
    this.#expected = contentBytes
    this.#stream._outBuffer = pool.take()
    this.#stream._outOffset = 0
    this.#stream.write(frame, (thrown) => {
      if (thrown) reject(thrown)
      else this.#drained()
    })
    return promise
  }

  close(): void {
    this.#stream.destroy()
    this.#settle?.reject(new Error('the decoder was closed'))
  }

  #take(piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (this.#bytes > this.#expected) this.#fail(`it holds more than the ${this.#expected} bytes it says`)
  }

  /** What the decoder gave may wait in the stream for one more turn of the loop. */
  #drained(): void {
    if (this.#stream.readableLength > 0) {
      this.#stream.once('data', () => this.#drained())
      return
    }
    if (this.#bytes !== this.#expected) {
      this.#fail(`it holds ${this.#bytes} bytes and says ${this.#expected}`)
      return
    }
    const [only] = this.#pieces
    this.#settle?.resolve(this.#pieces.length === 1 && only ? only : Buffer.concat(this.#pieces))
    this.#settle = undefined
    this.#pieces = []
    this.#bytes = 0
  }

  /** Nothing more is unpacked of a frame that lies: it may hold a million times what it says. */
  #fail(why: string): void {
    this.#settle?.reject(new Error(why))
    this.#stream.destroy()
  }
}
