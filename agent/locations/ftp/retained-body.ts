import { KIB, MIB } from '../../core/units.ts'
import { BodyError } from './classify.ts'

/**
 * What is on its way at most: the send buffer here and the receive buffer of the server, which Linux lets grow to 4 and
 * 6 MiB, and what TLS holds. What the server has not kept when a connection breaks is among the last bytes sent.
 */
const RETAINED_BYTES = 16 * MIB
const BLOCK_BYTES = 256 * KIB

/**
 * A body that can be read again from any place that lies at most so far behind what was taken from it. It keeps a copy,
 * in memory that goes round: to hold on to the chunks themselves would leave all that is sent to the garbage collector.
 */
export class RetainedBody {
  readonly #source: AsyncIterator<Uint8Array>
  /** The block that holds a byte is the one at its offset / BLOCK_BYTES, modulo their number. */
  readonly #blocks: Buffer[] = []
  /** What came out of the source and has no place in a block yet. */
  #rest: Uint8Array = Buffer.alloc(0)
  #end = 0
  #pulling: Promise<boolean> | undefined
  #pulled = false
  #failure: BodyError | undefined

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#source = body[Symbol.asyncIterator]()
  }

  /** Something was asked of the body. */
  get pulled(): boolean {
    return this.#pulled
  }

  /** Bytes that came out of it. */
  get bytes(): number {
    return this.#end
  }

  reaches(offset: number): boolean {
    const keptFrom = Math.ceil(this.#end / BLOCK_BYTES) * BLOCK_BYTES - RETAINED_BYTES
    return offset >= keptFrom && offset <= this.#end
  }

  /**
   * From an offset that is reached, in pieces of at most 256 KiB, each good while 8 MiB more are asked for. Leaving it
   * early leaves the body as it is: the next reader misses nothing.
   */
  async *from(offset: number): AsyncGenerator<Uint8Array> {
    for (let at = offset; at < this.#end || (await this.#pull()); ) {
      const start = at % BLOCK_BYTES
      const piece = this.#blockAt(at).subarray(start, start + Math.min(BLOCK_BYTES - start, this.#end - at))
      at += piece.length
      yield piece
    }
  }

  /** Nobody will read it any more. */
  leave(): void {
    // Not awaited: a generator that is stuck inside next() never answers to return().
    void Promise.resolve(this.#source.return?.()).catch(() => undefined)
  }

  /** More bytes, or false at the end. Readers that were left while they waited share it with the next one. */
  #pull(): Promise<boolean> {
    this.#pulling ??= this.#next().finally(() => {
      this.#pulling = undefined
    })
    return this.#pulling
  }

  async #next(): Promise<boolean> {
    this.#pulled = true
    // Asked again, a stream that has failed says that it is at its end.
    if (this.#failure) throw this.#failure
    while (this.#rest.length === 0) {
      const { done, value } = await this.#source.next().catch((thrown: unknown) => {
        this.#failure = new BodyError(thrown)
        throw this.#failure
      })
      if (done) return false
      this.#rest = value
    }
    const start = this.#end % BLOCK_BYTES
    const taken = this.#rest.subarray(0, BLOCK_BYTES - start)
    this.#blockAt(this.#end).set(taken, start)
    this.#rest = this.#rest.subarray(taken.length)
    this.#end += taken.length
    return true
  }

  #blockAt(offset: number): Buffer {
    const index = Math.floor(offset / BLOCK_BYTES) % (RETAINED_BYTES / BLOCK_BYTES)
    this.#blocks[index] ??= Buffer.allocUnsafeSlow(BLOCK_BYTES)
    return this.#blocks[index]
  }
}
