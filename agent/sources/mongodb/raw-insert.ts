import { Failure } from '../../core/errors.ts'
import { COMMENT } from './operation.ts'
import type { Wire } from './wire/wire.ts'

/**
 * Inserts documents as the bytes they are, many in one buffer, which must not change until then. At most 48,000,000 bytes
 * and 100,000 documents (MongoDB manual, "MongoDB Limits and Thresholds": maxMessageSizeBytes, maxWriteBatchSize).
 */
export async function rawInsert(
  wire: Wire,
  { database, collection }: { readonly database: string; readonly collection: string },
  documents: Uint8Array,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const command = {
    insert: collection,
    ordered: true,
    bypassDocumentValidation: true,
    writeConcern: { w: 'majority' },
    comment: COMMENT,
  }
  const connection = await wire.borrow(signal)
  try {
    await connection.send({ database, command, sequence: { field: 'documents', documents } }, signal)
    const reply = await connection.receive(signal)
    const error: unknown = reply['writeErrors']?.[0]?.errmsg ?? reply['writeConcernError']?.errmsg
    if (error !== undefined) {
      throw new Failure(`inserting into ${database}.${collection}: ${String(error)}`, { code: 'unavailable' })
    }
    if (reply['n'] !== count) {
      throw new Failure(`inserting into ${database}.${collection}: ${reply['n']} of ${count} documents were taken`, {
        code: 'internal',
      })
    }
  } finally {
    wire.giveBack(connection)
  }
}
