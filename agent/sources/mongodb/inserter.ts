import type { Document } from 'mongodb'
import { BufferPool, CHUNK_BYTES, recycle } from '../../core/buffer-pool.ts'
import type { RestoreOptions } from '../source.ts'
import { rawInsert } from './raw-insert.ts'
import type { Wire } from './wire/wire.ts'

/** Small enough that several are in memory at a time; a document that is larger goes alone. */
const INSERT_BYTES = CHUNK_BYTES
const INSERT_DOCUMENTS = 100_000
const PARALLEL_INSERTS = 3

interface Pending {
  readonly bytes: Buffer
  filled: number
  documents: number
}

/** Gathers documents per collection into inserts of a good size and keeps a few of them on their way. */
export class Inserter {
  readonly #wire: Wire
  readonly #options: RestoreOptions
  readonly #pool = new BufferPool(INSERT_BYTES, PARALLEL_INSERTS + 1)
  readonly #pending = new Map<string, Pending>()
  readonly #inserting = new Set<Promise<void>>()
  /** The last insert into each collection whose order counts. */
  readonly #last = new Map<string, Promise<void>>()
  readonly #literally: Document
  #failure: { readonly thrown: unknown } | undefined
  #documents = 0
  #bytes = 0

  /** `literally`: what `takesLiterally` says of the server. */
  constructor(wire: Wire, options: RestoreOptions, literally: Document) {
    this.#wire = wire
    this.#options = options
    this.#literally = literally
  }

  /** For a capped collection, which gives its documents back in the order they came: one insert after the other. */
  keepOrder(database: string, collection: string): void {
    this.#last.set(`${database}.${collection}`, Promise.resolve())
  }

  /** Takes whole documents; the bytes are copied. Rejects with the first error of any insert. */
  async add(database: string, collection: string, documents: Uint8Array): Promise<void> {
    for (let start = 0; start < documents.length; ) {
      const pending = this.#pendingOf(database, collection, firstLength(documents, start))
      const room = pending.bytes.length - pending.filled
      const { end, count } = upTo(documents, start, room, INSERT_DOCUMENTS - pending.documents)
      pending.bytes.set(documents.subarray(start, end), pending.filled)
      pending.filled += end - start
      pending.documents += count
      start = end
      if (end < documents.length || pending.documents >= INSERT_DOCUMENTS) await this.flush(database, collection)
    }
  }

  /** Sends what is gathered of a collection; waits only while enough inserts are on their way. */
  async flush(database: string, collection: string): Promise<void> {
    const name = `${database}.${collection}`
    const pending = this.#pending.get(name)
    this.#pending.delete(name)
    if (!pending) return
    if (pending.documents === 0) {
      recycle(pending.bytes)
      return
    }
    const last = this.#last.get(name)
    const insert = last
      ? last.then(() => this.#insert(database, collection, pending))
      : this.#insert(database, collection, pending)
    if (last) this.#last.set(name, insert)
    this.#inserting.add(insert)
    insert.finally(() => this.#inserting.delete(insert))
    while (this.#inserting.size >= PARALLEL_INSERTS) await Promise.race(this.#inserting)
    this.#throwFailure()
  }

  async finish(): Promise<void> {
    await this.settle()
    this.#throwFailure()
  }

  /** Resolves when nothing is on its way any more, whatever came of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#inserting)
  }

  counted(): { readonly documents: number; readonly bytes: number } {
    return { documents: this.#documents, bytes: this.#bytes }
  }

  /** Memory with room for as many documents as an insert has, or for one that is larger. */
  #pendingOf(database: string, collection: string, firstBytes: number): Pending {
    const name = `${database}.${collection}`
    const known = this.#pending.get(name)
    if (known && (known.documents > 0 || known.bytes.length >= firstBytes)) return known
    const bytes = firstBytes > INSERT_BYTES ? Buffer.allocUnsafeSlow(firstBytes) : this.#pool.take()
    const fresh = { bytes, filled: 0, documents: 0 }
    this.#pending.set(name, fresh)
    return fresh
  }

  async #insert(database: string, collection: string, { bytes, filled, documents }: Pending): Promise<void> {
    if (this.#failure) return
    try {
      const run = bytes.subarray(0, filled)
      await rawInsert(this.#wire, { database, collection }, run, documents, this.#options.signal, this.#literally)
      recycle(bytes)
      this.#documents += documents
      this.#bytes += filled
      this.#options.onProgress?.({ bytes: this.#bytes, documents: this.#documents })
    } catch (thrown) {
      this.#failure ??= { thrown }
    }
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.thrown
  }
}

function firstLength(documents: Uint8Array, at: number): number {
  return new DataView(documents.buffer, documents.byteOffset, documents.byteLength).getInt32(at, true)
}

/** The end of as many whole documents from `start` on as fit, which may be none. */
function upTo(documents: Uint8Array, start: number, bytes: number, count: number): { end: number; count: number } {
  const view = new DataView(documents.buffer, documents.byteOffset, documents.byteLength)
  let end = start
  let taken = 0
  while (end < documents.length && taken < count) {
    const length = view.getInt32(end, true)
    if (end + length - start > bytes) break
    end += length
    taken += 1
  }
  return { end, count: taken }
}
