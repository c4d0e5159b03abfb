import type { Db } from 'mongodb'
// An internal class of the driver, pinned by its exact version and guarded by a test: everything public encodes objects.
import { DocumentSequence } from 'mongodb/lib/cmap/commands.js'
import { Failure } from '../../core/errors.ts'

/**
 * Inserts documents as the bytes they are, many in one buffer. At most 48,000,000 bytes and 100,000 documents
 * (MongoDB manual, "MongoDB Limits and Thresholds": maxMessageSizeBytes, maxWriteBatchSize).
 */
export async function rawInsert(db: Db, collection: string, documents: Uint8Array, count: number): Promise<void> {
  const sequence = new DocumentSequence('documents')
  sequence.push({}, documents)
  const reply = await db.command({
    insert: collection,
    documents: sequence,
    ordered: true,
    bypassDocumentValidation: true,
    writeConcern: { w: 'majority' },
  })
  const error: unknown = reply['writeErrors']?.[0]?.errmsg ?? reply['writeConcernError']?.errmsg
  if (error !== undefined) {
    throw new Failure(`inserting into ${db.databaseName}.${collection}: ${String(error)}`, { code: 'unavailable' })
  }
  if (reply['n'] !== count) {
    throw new Failure(
      `inserting into ${db.databaseName}.${collection}: ${reply['n']} of ${count} documents were taken`,
      {
        code: 'internal',
      },
    )
  }
}
