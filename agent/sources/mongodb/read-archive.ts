import type { MongoClient } from 'mongodb'
import type { Clock } from '../../core/clock.ts'
import type { CollectionFacts, SourceProgress } from '../source.ts'
import { ArchiveWriter } from './archive/writer.ts'
import type { CollectionInfo } from './inventory.ts'
import type { Reading } from './operation.ts'
import type { Pace } from './pace.ts'
import { readCollection } from './read-collection.ts'
import type { ReadPoint } from './snapshot.ts'
import type { WindowForesight } from './window-foresight.ts'
import { Wire } from './wire/wire.ts'

/** Collections read side by side: one is worked on while the server prepares the next batch of the other. */
const PARALLEL_COLLECTIONS = 2

export interface ArchiveSource {
  readonly client: MongoClient
  readonly reading: Reading
  readonly collections: readonly CollectionInfo[]
  readonly readPoint: ReadPoint
  readonly serverVersion: string
  readonly toolVersion: string
  readonly pace: Pace
  /** Absent where there is no snapshot that could be lost. */
  readonly foresight?: WindowForesight
  readonly clock: Clock
  readonly onProgress: (progress: SourceProgress) => void
  /** Told of every collection once it has been read to its end. */
  readonly onCollection: (facts: CollectionFacts) => void
  /** Something the operator should know although the reading goes on. */
  readonly onNote: (note: string) => void
}

export interface WiredSource extends ArchiveSource {
  readonly wire: Wire
}

/** The archive of the given collections as a stream. When the reader of the stream leaves, the cursors are closed. */
export async function* readArchive(source: ArchiveSource): AsyncGenerator<Uint8Array> {
  const writer = new ArchiveWriter()
  writer.prelude(
    {
      concurrentCollections: PARALLEL_COLLECTIONS,
      serverVersion: source.serverVersion,
      toolVersion: source.toolVersion,
    },
    source.collections,
  )
  // Ends what is on its way when one collection fails or nobody wants the rest.
  const over = new AbortController()
  const signal = AbortSignal.any([source.reading.signal, over.signal])
  using wire = new Wire(source.client, { replies: 'batches' })
  const inside = { ...source, wire, reading: { ...source.reading, signal } }
  const reading = readAll(inside, writer, over).then(
    () => writer.finish(),
    (thrown) => writer.fail(thrown),
  )
  try {
    yield* writer.chunks()
  } finally {
    over.abort()
    await reading
  }
}

async function readAll(source: WiredSource, writer: ArchiveWriter, over: AbortController): Promise<void> {
  source.foresight?.check(0)
  const waiting = [...source.collections]
  const meter = new Meter(source)
  let first: { readonly thrown: unknown } | undefined
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !first; next = waiting.shift()) {
      await readCollection(source, next, writer, (bytes, documents) =>
        meter.add(bytes, documents, `${next.database}.${next.collection}`),
      )
    }
  }
  await Promise.all(
    Array.from({ length: PARALLEL_COLLECTIONS }, () =>
      worker().catch((thrown) => {
        // The other one is aborted for this: its failure tells nothing.
        first ??= { thrown }
        over.abort()
      }),
    ),
  )
  if (first) throw first.thrown
}

class Meter {
  readonly #source: ArchiveSource
  readonly #totalBytes: number
  #bytes = 0
  #documents = 0

  constructor(source: ArchiveSource) {
    this.#source = source
    this.#totalBytes = source.collections.reduce((sum, collection) => sum + collection.sizeBytes, 0)
  }

  add(bytes: number, documents: number, collection: string): void {
    this.#bytes += bytes
    this.#documents += documents
    this.#source.foresight?.check(this.#bytes)
    this.#source.onProgress({
      bytes: this.#bytes,
      documents: this.#documents,
      collection,
      ...(this.#totalBytes > 0 ? { totalBytes: Math.max(this.#totalBytes, this.#bytes) } : {}),
    })
  }
}
