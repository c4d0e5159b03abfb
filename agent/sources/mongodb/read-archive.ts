import type { ClientSession, MongoClient } from 'mongodb'
import type { CollectionFacts, SourceProgress } from '../source.ts'
import { Crc64, formatCrc64 } from './archive/crc64.ts'
import { DocumentDigest } from './archive/document-digest.ts'
import { dataCollection } from './archive/format.ts'
import { ArchiveWriter } from './archive/writer.ts'
import { mongodbFailure } from './classify.ts'
import type { CollectionInfo } from './inventory.ts'
import { rawFind } from './raw-cursor.ts'
import type { ReadPoint } from './snapshot.ts'

/** Collections read side by side: one is worked on while the server prepares the next batch of the other. */
const PARALLEL_COLLECTIONS = 2

export interface ArchiveSource {
  readonly client: MongoClient
  readonly session: ClientSession
  readonly collections: readonly CollectionInfo[]
  readonly readPoint: ReadPoint
  readonly serverVersion: string
  readonly toolVersion: string
  readonly onProgress: (progress: SourceProgress) => void
  /** Told of every collection once it has been read to its end. */
  readonly onCollection: (facts: CollectionFacts) => void
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
  const reading = readAll(source, writer).then(
    () => writer.finish(),
    (thrown) => writer.fail(thrown),
  )
  try {
    yield* writer.chunks()
  } finally {
    await reading
  }
}

async function readAll(source: ArchiveSource, writer: ArchiveWriter): Promise<void> {
  const waiting = [...source.collections]
  const meter = new Meter(source)
  let failed = false
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !failed; next = waiting.shift()) {
      await readCollection(source, next, writer, meter, () => failed)
    }
  }
  const workers = Array.from({ length: PARALLEL_COLLECTIONS }, () =>
    worker().catch((thrown) => {
      failed = true
      throw thrown
    }),
  )
  const settled = await Promise.allSettled(workers)
  for (const one of settled) if (one.status === 'rejected') throw one.reason
}

async function readCollection(
  { client, session, readPoint, onCollection }: ArchiveSource,
  { database, collection, type, capped }: CollectionInfo,
  writer: ArchiveWriter,
  meter: Meter,
  isOver: () => boolean,
): Promise<void> {
  const crc = new Crc64()
  const digest = new DocumentDigest()
  const sink = {
    update(run: Uint8Array): void {
      crc.update(run)
      digest.update(run)
    },
  }
  const stored = dataCollection(collection, type)
  let documents = 0
  let bytes = 0
  if (type !== 'view') {
    try {
      for await (const batch of rawFind(client.db(database), stored, {
        session,
        ...readConcernFor(readPoint, capped),
      })) {
        if (isOver()) return
        writer.segment(database, stored, batch.documents, sink)
        documents += batch.count
        bytes += batch.bytes
        meter.add(batch.bytes, batch.count)
        await writer.room()
      }
    } catch (thrown) {
      throw mongodbFailure(thrown, `reading ${database}.${collection}`)
    }
  }
  writer.end(database, stored, crc.digest())
  onCollection({
    database,
    collection,
    type,
    documents,
    bytes,
    crc64: formatCrc64(crc.digest()),
    digest: digest.digest(),
  })
}

function readConcernFor({ readConcern, exceptCapped }: ReadPoint, capped: boolean): Pick<ReadPoint, 'readConcern'> {
  if (capped && exceptCapped) return { readConcern: { level: 'majority' } }
  return readConcern ? { readConcern } : {}
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

  add(bytes: number, documents: number): void {
    this.#bytes += bytes
    this.#documents += documents
    this.#source.onProgress({
      bytes: this.#bytes,
      documents: this.#documents,
      ...(this.#totalBytes > 0 ? { totalBytes: Math.max(this.#totalBytes, this.#bytes) } : {}),
    })
  }
}
