import { Failure } from '../../../core/errors.ts'
import { MIB } from '../../../core/units.ts'

/** What a batch needs, with some room. It grows for a larger message and goes back to this. */
const USUAL_BYTES = 2.25 * MIB
const GROWTH_BYTES = 256 * 1024
/** maxMessageSizeBytes (MongoDB manual, hello), and a little for what stands around a batch. */
const LARGEST_MESSAGE = 48_000_000 + MIB
const HEADER_BYTES = 16

/** Gathers one message of the wire protocol after another in the same memory (MongoDB manual, "Wire Protocol"). */
export class MessageBuffer {
  #memory = Buffer.allocUnsafeSlow(USUAL_BYTES)
  #filled = 0
  #length = Number.POSITIVE_INFINITY
  /** Bytes that came although the message was complete: of a stream that was stopped too late. */
  #early: Buffer[] = []

  get complete(): boolean {
    return this.#filled >= this.#length
  }

  /** The complete message; valid until `next`. */
  get bytes(): Buffer {
    if (!this.complete) throw new Error('a message is asked for that is not complete')
    return this.#memory.subarray(0, this.#length)
  }

  /** Makes room for the next message. */
  next(): void {
    this.#filled = 0
    this.#length = Number.POSITIVE_INFINITY
    if (this.#memory.length > 2 * USUAL_BYTES) this.#memory = Buffer.allocUnsafeSlow(USUAL_BYTES)
    for (const bytes of this.#early.splice(0)) this.append(bytes)
  }

  /** @throws Failure `damaged` where no message can begin so */
  append(bytes: Buffer): void {
    if (this.complete) {
      this.#early.push(Buffer.from(bytes))
      return
    }
    let start = 0
    if (this.#filled < HEADER_BYTES) {
      start = Math.min(HEADER_BYTES - this.#filled, bytes.length)
      bytes.copy(this.#memory, this.#filled, 0, start)
      this.#filled += start
      if (this.#filled < HEADER_BYTES) return
      this.#begin(this.#memory.readInt32LE(0))
    }
    const end = Math.min(bytes.length, start + this.#length - this.#filled)
    bytes.copy(this.#memory, this.#filled, start, end)
    this.#filled += end - start
    if (end < bytes.length) this.#early.push(Buffer.from(bytes.subarray(end)))
  }

  #begin(length: number): void {
    if (length < HEADER_BYTES || length > LARGEST_MESSAGE) {
      throw new Failure(`reading a reply of MongoDB: it claims to be ${length} bytes long`, {
        code: 'damaged',
        retryable: true,
      })
    }
    this.#length = length
    if (length <= this.#memory.length) return
    const larger = Buffer.allocUnsafeSlow(length + GROWTH_BYTES)
    this.#memory.copy(larger, 0, 0, HEADER_BYTES)
    this.#memory = larger
  }
}
