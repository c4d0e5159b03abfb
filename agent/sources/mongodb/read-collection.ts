import { formatCrc64 } from './archive/crc64.ts'
import { DocumentSums } from './archive/document-sums.ts'
import { dataCollection } from './archive/format.ts'
import type { ArchiveWriter } from './archive/writer.ts'
import { isCollectionGone, readingFailure } from './classify.ts'
import type { CollectionInfo } from './inventory.ts'
import { COMMENT, type Reading } from './operation.ts'
import { rawFind } from './raw-cursor.ts'
import type { ArchiveSource, WiredSource } from './read-archive.ts'
import type { ReadPoint } from './snapshot.ts'

/** Reads one collection to its end into the archive, counting and digesting on the way. */
export async function readCollection(
  source: WiredSource,
  info: CollectionInfo,
  writer: ArchiveWriter,
  onBatch: (bytes: number, documents: number) => void,
): Promise<void> {
  const { client, wire, reading, readPoint, pace, clock, onCollection, onNote } = source
  const { database, collection, type } = info
  const stored = dataCollection(collection, type)
  const sums = new DocumentSums()
  const from = clock.now()
  let documents = 0
  let bytes = 0
  if (type !== 'view') {
    const readConcern = readConcernFor(readPoint, info)
    const found = rawFind(client.db(database), info.rawData ? collection : stored, {
      ...{ ...reading, wire, pace },
      ...(readConcern ? { readConcern } : {}),
      ...(info.documentBytes === undefined ? {} : { documentBytes: info.documentBytes }),
      ...(info.rawData ? { rawData: true } : {}),
    })
    try {
      for await (const { run, count } of found) {
        sums.update(run)
        writer.segment(database, stored, run)
        documents += count
        bytes += run.length
        onBatch(run.length, count)
        await writer.room()
      }
    } catch (thrown) {
      if (readPoint.at || !(await wasDropped(source, info, reading, thrown))) {
        throw readingFailure(thrown, `reading ${database}.${collection}`)
      }
      onNote(`${database}.${collection} was dropped while it was read: ${documents} of its documents are in the backup`)
    }
  }
  const checksum = sums.crc64()
  writer.end(database, stored, checksum)
  const apart = readPoint.at === undefined || (info.capped && readPoint.exceptCapped)
  const span = apart ? { from: from.toISOString(), to: clock.now().toISOString() } : {}
  const facts = { database, collection, type, documents, bytes, crc64: formatCrc64(checksum), digest: sums.digest() }
  onCollection({ ...facts, ...span })
}

function readConcernFor(
  { readConcern, exceptCapped }: ReadPoint,
  { capped }: CollectionInfo,
): ReadPoint['readConcern'] | undefined {
  return capped && exceptCapped ? { level: 'majority' } : readConcern
}

/** Only a reading without an instant may go on without the rest of a collection; one with an instant must begin again. */
async function wasDropped(
  { client }: ArchiveSource,
  { database, collection }: CollectionInfo,
  { session, signal }: Reading,
  thrown: unknown,
): Promise<boolean> {
  if (!isCollectionGone(thrown) || signal.aborted) return false
  const settings = { nameOnly: true, comment: COMMENT, session, signal }
  try {
    return (await client.db(database).listCollections({ name: collection }, settings).toArray()).length === 0
  } catch {
    return false
  }
}
