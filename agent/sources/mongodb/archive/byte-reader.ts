import { recycle } from '../../../core/buffer-pool.ts'
import { Failure } from '../../../core/errors.ts'
import { LARGEST_DOCUMENT, SMALLEST_DOCUMENT } from './format.ts'

/**
 * Takes BSON documents and terminators out of a stream; holds little more than one document. What it gives out is valid
 * until it is asked again: chunks whose memory goes round are recycled.
 */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  /** A chunk, or one document that was cut, joined; then `#rest` is what follows of the chunk it ended in. */
  #buffer: Buffer = Buffer.alloc(0)
  #rest: Buffer | undefined
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

  async #need(length: number): Promise<void> {
    while (this.#buffer.length - this.#at < length) {
      if (this.#at < this.#buffer.length) await this.#join(length)
      else if (!(await this.#fill())) throw this.damaged('it ends in the middle')
    }
  }

  /** Copies what was cut together, and nothing else. */
  async #join(length: number): Promise<void> {
    const joined = Buffer.allocUnsafe(length)
    let filled = this.#buffer.copy(joined, 0, this.#at)
    let rest = this.#rest
    while (filled < length) {
      rest ??= await this.#next()
      if (!rest) throw this.damaged('it ends in the middle')
      const copied = rest.copy(joined, filled)
      filled += copied
      if (copied === rest.length) recycle(rest)
      rest = copied === rest.length ? undefined : rest.subarray(copied)
    }
    this.#leave()
    this.#buffer = joined
    this.#rest = rest
  }

  /** Only where everything has been taken. */
  async #fill(): Promise<boolean> {
    const next = this.#rest ?? (await this.#next())
    if (!next) return false
    this.#rest = undefined
    this.#leave()
    this.#buffer = next
    return true
  }

  #leave(): void {
    this.#passed += this.#at
    this.#at = 0
    recycle(this.#buffer)
  }

  async #next(): Promise<Buffer | undefined> {
    const { value, done } = await this.#chunks.next()
    return done ? undefined : viewOf(value)
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
