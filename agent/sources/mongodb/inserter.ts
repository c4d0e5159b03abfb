import type { MongoClient } from 'mongodb'
import { MIB } from '../../core/units.ts'
import type { RestoreOptions } from '../source.ts'
import { rawInsert } from './raw-insert.ts'

/** Below the server's 48,000,000 bytes, and small enough that several wait in memory. */
const INSERT_BYTES = 4 * MIB
const INSERT_DOCUMENTS = 100_000
const PARALLEL_INSERTS = 3

interface Pending {
  readonly runs: Uint8Array[]
  bytes: number
  documents: number
}

/** Gathers documents per collection into inserts of a good size and keeps a few of them on their way. */
export class Inserter {
  readonly #client: MongoClient
  readonly #options: RestoreOptions
  readonly #pending = new Map<string, Pending>()
  readonly #inserting = new Set<Promise<void>>()
  #failure: { readonly thrown: unknown } | undefined
  #documents = 0
  #bytes = 0

  constructor(client: MongoClient, options: RestoreOptions) {
    this.#client = client
    this.#options = options
  }

  /** Takes whole documents; the bytes are copied. Rejects with the first error of any insert. */
  async add(database: string, collection: string, documents: Uint8Array): Promise<void> {
    for (let start = 0; start < documents.length; ) {
      const pending = this.#pendingOf(database, collection)
      const { end, count } = upTo(documents, start, INSERT_BYTES - pending.bytes, INSERT_DOCUMENTS - pending.documents)
      if (end > start) {
        pending.runs.push(Buffer.from(documents.subarray(start, end)))
        pending.bytes += end - start
        pending.documents += count
        start = end
      }
      if (end < documents.length || pending.documents >= INSERT_DOCUMENTS) await this.flush(database, collection)
    }
  }

  /** Sends what is gathered of a collection; waits only while enough inserts are on their way. */
  async flush(database: string, collection: string): Promise<void> {
    const name = `${database}.${collection}`
    const pending = this.#pending.get(name)
    this.#pending.delete(name)
    if (!pending || pending.documents === 0) return
    const insert = this.#insert(database, collection, pending)
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

  #pendingOf(database: string, collection: string): Pending {
    const name = `${database}.${collection}`
    const known = this.#pending.get(name)
    if (known) return known
    const fresh = { runs: [], bytes: 0, documents: 0 }
    this.#pending.set(name, fresh)
    return fresh
  }

  async #insert(database: string, collection: string, { runs, bytes, documents }: Pending): Promise<void> {
    try {
      const joined = runs.length === 1 && runs[0] ? runs[0] : Buffer.concat(runs, bytes)
      await rawInsert(this.#client.db(database), collection, joined, documents)
      this.#documents += documents
      this.#bytes += bytes
      this.#options.onProgress?.({ bytes: this.#bytes, documents: this.#documents })
    } catch (thrown) {
      this.#failure ??= { thrown }
    }
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.thrown
  }
}

/** The end of as many whole documents from `start` on as fit; always at least one when there is room for none. */
function upTo(documents: Uint8Array, start: number, bytes: number, count: number): { end: number; count: number } {
  const view = new DataView(documents.buffer, documents.byteOffset, documents.byteLength)
  let end = start
  let taken = 0
  while (end < documents.length && taken < count) {
    const length = view.getInt32(end, true)
    if (end + length - start > bytes && !(taken === 0 && bytes === INSERT_BYTES)) break
    end += length
    taken += 1
  }
  return { end, count: taken }
}
