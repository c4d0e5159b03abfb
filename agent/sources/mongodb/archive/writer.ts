import { BufferPool, CHUNK_BYTES } from '../../../core/buffer-pool.ts'
import type { ArchiveHeader, ArchiveMetadata } from './format.ts'
import { encodeHeader, encodeMetadata, encodeNamespace, MAGIC, TERMINATOR } from './format.ts'

/** Those that wait, those that are packed, and the one that is filled. */
const POOLED_CHUNKS = 5
/** Full chunks that may wait to be taken. */
const WAITING_CHUNKS = 1

/**
 * Writes an archive into large chunks, whose memory may be recycled. A segment is written in one go; between segments `room()` holds the writers
 * back until the reader of `chunks()` has caught up.
 */
export class ArchiveWriter {
  readonly #pool = new BufferPool(CHUNK_BYTES, POOLED_CHUNKS)
  #chunk = this.#pool.take()
  #filled = 0
  readonly #full: Uint8Array[] = []
  #state: 'open' | 'finished' | 'failed' | 'abandoned' = 'open'
  #failure: unknown
  #wakeReader: () => void = () => undefined
  readonly #waitingWriters: (() => void)[] = []

  prelude(header: ArchiveHeader, metadata: readonly ArchiveMetadata[]): void {
    this.#append(MAGIC)
    this.#append(encodeHeader(header))
    for (const one of metadata) this.#append(encodeMetadata(one))
    this.#append(TERMINATOR)
  }

  /** Writes one segment of whole BSON documents that lie one behind the other. */
  segment(database: string, collection: string, documents: Uint8Array): void {
    this.#append(encodeNamespace(database, collection))
    this.#append(documents)
    this.#append(TERMINATOR)
  }

  end(database: string, collection: string, crc: bigint): void {
    this.#append(encodeNamespace(database, collection, crc))
    this.#append(TERMINATOR)
  }

  /** Resolves when another segment may be written; rejects when nobody reads the archive any more. */
  async room(): Promise<void> {
    while (this.#full.length > WAITING_CHUNKS && this.#state === 'open') {
      await new Promise<void>((resolve) => this.#waitingWriters.push(resolve))
    }
    if (this.#state === 'abandoned') throw new Error('nobody reads the archive any more')
  }

  finish(): void {
    if (this.#filled > 0) this.#full.push(this.#chunk.subarray(0, this.#filled))
    this.#filled = 0
    this.#state = 'finished'
    this.#wakeReader()
  }

  fail(thrown: unknown): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#failure = thrown
    this.#wakeReader()
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        if (this.#state === 'failed') throw this.#failure
        const chunk = this.#full.shift()
        this.#wakeWriters()
        if (chunk) yield chunk
        else if (this.#state === 'finished') return
        else {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve
          })
        }
      }
    } finally {
      if (this.#state === 'open') this.#state = 'abandoned'
      this.#wakeWriters()
    }
  }

  #append(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; ) {
      const part = bytes.subarray(start, start + CHUNK_BYTES - this.#filled)
      this.#chunk.set(part, this.#filled)
      this.#filled += part.length
      start += part.length
      if (this.#filled === CHUNK_BYTES) {
        this.#full.push(this.#chunk)
        this.#chunk = this.#pool.take()
        this.#filled = 0
        this.#wakeReader()
      }
    }
  }

  #wakeWriters(): void {
    for (const wake of this.#waitingWriters.splice(0)) wake()
  }
}
