import { Failure } from '../../../core/errors.ts'
import { LARGEST_DOCUMENT, SMALLEST_DOCUMENT } from './format.ts'

/** Takes BSON documents and terminators out of a stream; holds little more than one document. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #buffer: Buffer = Buffer.alloc(0)
  #at = 0
  /** Bytes of the stream before `#buffer`. */
  #passed = 0

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#chunks = body[Symbol.asyncIterator]()
  }

  async exactly(length: number): Promise<Uint8Array> {
    await this.#need(length)
    return this.#take(length)
  }

  /** Consumes a terminator if one comes next. */
  async terminator(): Promise<boolean> {
    await this.#need(4)
    if (this.#buffer.readInt32LE(this.#at) !== -1) return false
    this.#at += 4
    return true
  }

  async document(): Promise<Uint8Array> {
    await this.#need(4)
    const length = this.#documentLength(this.#at)
    await this.#need(length)
    this.#checkEnd(this.#at, length)
    return this.#take(length)
  }

  /** As many whole documents as are at hand, at least one; ends before a terminator. */
  async documents(): Promise<{ bytes: Uint8Array; count: number }> {
    await this.#need(4)
    await this.#need(this.#documentLength(this.#at))
    let end = this.#at
    let count = 0
    while (end + 4 <= this.#buffer.length && this.#buffer.readInt32LE(end) !== -1) {
      const length = this.#documentLength(end)
      if (end + length > this.#buffer.length) break
      this.#checkEnd(end, length)
      end += length
      count += 1
    }
    return { bytes: this.#take(end - this.#at), count }
  }

  /** Ends the stream below; for a reader that stops before its end. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async atEnd(): Promise<boolean> {
    if (this.#at < this.#buffer.length) return false
    return !(await this.#fill())
  }

  damaged(why: string, cause?: unknown): Failure {
    return new Failure(`reading the archive at byte ${this.#passed + this.#at}: ${why}`, {
      code: 'damaged',
      ...(cause === undefined ? {} : { cause }),
    })
  }

  #documentLength(at: number): number {
    const length = this.#buffer.readInt32LE(at)
    if (length < SMALLEST_DOCUMENT || length > LARGEST_DOCUMENT) {
      throw this.damaged(`there is no BSON document (its length would be ${length})`)
    }
    return length
  }

  #checkEnd(at: number, length: number): void {
    if (this.#buffer[at + length - 1] !== 0) throw this.damaged('a document does not end with a zero byte')
  }

  #take(length: number): Uint8Array {
    const bytes = this.#buffer.subarray(this.#at, this.#at + length)
    this.#at += length
    return bytes
  }

  /** Chunks are joined once, however many a large document takes. */
  async #need(length: number): Promise<void> {
    const have = this.#buffer.length - this.#at
    if (have >= length) return
    const chunks: Uint8Array[] = have > 0 ? [this.#buffer.subarray(this.#at)] : []
    for (let total = have; total < length; ) {
      const { value, done } = await this.#chunks.next()
      if (done) throw this.damaged('it ends in the middle')
      chunks.push(value)
      total += value.length
    }
    this.#passed += this.#at
    this.#at = 0
    const [only] = chunks
    this.#buffer = chunks.length === 1 && only ? viewOf(only) : Buffer.concat(chunks)
  }

  /** Only where everything has been taken. */
  async #fill(): Promise<boolean> {
    const { value, done } = await this.#chunks.next()
    if (done) return false
    this.#passed += this.#at
    this.#at = 0
    this.#buffer = viewOf(value)
    return true
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
