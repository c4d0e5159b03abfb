import { MIB } from '../../core/units.ts'
import { BodyError } from './classify.ts'

/**
 * What is on its way at most: the send buffer here and the receive buffer of the server, which Linux lets grow to 4 and
 * 6 MiB, and what TLS holds. What the server has not kept when a connection breaks is among the last bytes sent.
 */
const RETAINED_BYTES = 16 * MIB
const RETAINED_CHUNKS = 4096

/** A body that can be read again from any place that lies at most so far behind what was taken from it. */
export class RetainedBody {
  readonly #source: AsyncIterator<Uint8Array>
  readonly #chunks: Uint8Array[] = []
  /** Where the first chunk that is still here begins. */
  #start = 0
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
    return offset >= this.#start && offset <= this.#end
  }

  /** From an offset that is reached. Leaving it early leaves the body as it is: the next reader misses nothing. */
  async *from(offset: number): AsyncGenerator<Uint8Array> {
    let at = offset
    for (;;) {
      for (const chunk of this.#behind(at)) {
        at += chunk.length
        yield chunk
      }
      if (at === this.#end && !(await this.#pull())) return
    }
  }

  /** Nobody will read it any more. */
  leave(): void {
    // Not awaited: a generator that is stuck inside next() never answers to return().
    void Promise.resolve(this.#source.return?.()).catch(() => undefined)
  }

  #behind(offset: number): Uint8Array[] {
    const found: Uint8Array[] = []
    for (let index = this.#chunks.length - 1, end = this.#end; index >= 0 && end > offset; index -= 1) {
      const chunk = this.#chunks[index] ?? new Uint8Array()
      const start = end - chunk.length
      found.unshift(start >= offset ? chunk : chunk.subarray(offset - start))
      end = start
    }
    return found
  }

  /** One chunk more, or false at the end. Readers that were left while they waited share it with the next one. */
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
    const { done, value } = await this.#source.next().catch((thrown: unknown) => {
      this.#failure = new BodyError(thrown)
      throw this.#failure
    })
    if (done) return false
    this.#chunks.push(value)
    this.#end += value.length
    for (let first = this.#chunks[0]; first; first = this.#chunks[0]) {
      if (this.#end - this.#start - first.length < RETAINED_BYTES && this.#chunks.length <= RETAINED_CHUNKS) break
      this.#start += first.length
      this.#chunks.shift()
    }
    return true
  }
}
