import { Failure } from '../../../core/errors.ts'
import { KIB, MIB } from '../../../core/units.ts'
import { DocumentMemory } from '../archive/document-memory.ts'

/** A message that has no room makes it larger: 16 MiB and a little is the most that a server answers with. */
const GROWTH_BYTES = 256 * KIB
/** maxMessageSizeBytes (MongoDB manual, hello), and a little for what stands around a batch. */
const LARGEST_MESSAGE = 48_000_000 + MIB
const HEADER_BYTES = 16

/** Gathers one message of the wire protocol after another in the same memory (MongoDB manual, "Wire Protocol"). */
export class MessageBuffer {
  readonly #memory: DocumentMemory
  #filled = 0
  #length = Number.POSITIVE_INFINITY
  /** Bytes that came although the message was complete: of a stream that was stopped too late. */
  #early: Buffer[] = []

  /** `bytes`: of a usual message. */
  constructor(bytes: number) {
    this.#memory = new DocumentMemory(bytes)
  }

  get complete(): boolean {
    return this.#filled >= this.#length
  }

  /** The complete message; valid until `next`. */
  get bytes(): Buffer {
    if (!this.complete) throw new Error('a message is asked for that is not complete')
    return this.#memory.room.subarray(0, this.#length)
  }

  /** Makes room for the next message. */
  next(): void {
    this.#filled = 0
    this.#length = Number.POSITIVE_INFINITY
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
      bytes.copy(this.#memory.room, this.#filled, 0, start)
      this.#filled += start
      if (this.#filled < HEADER_BYTES) return
      this.#begin(this.#memory.room.readInt32LE(0))
    }
    const end = Math.min(bytes.length, start + this.#length - this.#filled)
    bytes.copy(this.#memory.room, this.#filled, start, end)
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
    if (length > this.#memory.room.length) this.#memory.reserve(length + GROWTH_BYTES)
  }
}
