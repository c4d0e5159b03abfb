import { MIB } from '../../../core/units.ts'
import type { ArchiveHeader, ArchiveMetadata } from './format.ts'
import { encodeHeader, encodeMetadata, encodeNamespace, MAGIC, TERMINATOR } from './format.ts'

/** Also the size of a zstd frame: a full chunk becomes a frame without being copied once more. */
const CHUNK_BYTES = 4 * MIB
const SMALL_COPY = 64
/** Full chunks that may wait to be taken. */
const WAITING_CHUNKS = 1

/** Something that is told of every run of document bytes as it lies in the archive. */
export interface ByteSink {
  update(bytes: Uint8Array): void
}

/** Documents that tell where each of them lies. */
export interface VisitedDocuments {
  visit(visitor: (bytes: Uint8Array, start: number, end: number) => void): void
}

/**
 * Writes an archive into large chunks. A segment is written in one go; between segments `room()` holds the writers
 * back until the reader of `chunks()` has caught up.
 */
export class ArchiveWriter {
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
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

  /** Writes one segment of whole BSON documents; `sink` sees their bytes in the same order. */
  segment(database: string, collection: string, documents: VisitedDocuments, sink: ByteSink): void {
    this.#append(encodeNamespace(database, collection))
    documents.visit((bytes, start, end) => this.#appendRange(bytes, start, end, sink))
    this.#flushSink(sink)
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

  /** Start of the document bytes in the current chunk that the sink has not seen yet; -1 outside a segment. */
  #unseen = -1

  #append(bytes: Uint8Array): void {
    this.#appendRange(bytes, 0, bytes.length)
  }

  #appendRange(bytes: Uint8Array, from: number, to: number, sink?: ByteSink): void {
    for (let start = from; start < to; ) {
      if (sink && this.#unseen < 0) this.#unseen = this.#filled
      const length = Math.min(to - start, CHUNK_BYTES - this.#filled)
      this.#copy(bytes, start, length)
      this.#filled += length
      start += length
      if (this.#filled === CHUNK_BYTES) {
        if (sink) this.#flushSink(sink)
        this.#full.push(this.#chunk)
        this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
        this.#filled = 0
        this.#wakeReader()
      }
    }
  }

  /** A few bytes are copied faster here than by a call that needs a view of them first. */
  #copy(bytes: Uint8Array, start: number, length: number): void {
    if (length > SMALL_COPY) {
      this.#chunk.set(bytes.subarray(start, start + length), this.#filled)
      return
    }
    const chunk = this.#chunk
    const filled = this.#filled
    for (let at = 0; at < length; at += 1) chunk[filled + at] = bytes[start + at] ?? 0
  }

  /** Whole runs of documents at a time: a call per document would cost more than the checksum. */
  #flushSink(sink: ByteSink): void {
    if (this.#unseen >= 0) sink.update(this.#chunk.subarray(this.#unseen, this.#filled))
    this.#unseen = -1
  }

  #wakeWriters(): void {
    for (const wake of this.#waitingWriters.splice(0)) wake()
  }
}
