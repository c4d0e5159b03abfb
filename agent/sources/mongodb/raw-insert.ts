import type { Document } from 'mongodb'
import { Failure } from '../../core/errors.ts'
import { MAJORITY } from './operation.ts'
import type { WireConnection } from './wire/connection.ts'
import type { Wire } from './wire/wire.ts'

const BUCKETS = 'system.buckets.'
/** CannotInsertTimeseriesBucketsWithMixedSchema, as mongorestore knows it (mongo-tools, common/db/db.go). */
const MIXED_SCHEMA = 408

interface Target {
  readonly database: string
  readonly collection: string
}

/**
 * Inserts documents as the bytes they are, many in one buffer, which must not change until then. At most 48,000,000 bytes
 * and 100,000 documents (MongoDB manual, "MongoDB Limits and Thresholds": maxMessageSizeBytes, maxWriteBatchSize).
 * `literally`: what `takesLiterally` says of the server.
 */
export async function rawInsert(
  wire: Wire,
  target: Target,
  documents: Uint8Array,
  count: number,
  signal: AbortSignal,
  literally: Document = {},
): Promise<void> {
  const { database, collection } = target
  const connection = await wire.borrow(signal)
  try {
    const reply = await insert(connection, target, documents, literally, signal)
    if (reply['writeErrors']?.[0]?.code !== MIXED_SCHEMA || !collection.startsWith(BUCKETS)) {
      return checkReply(reply, count, target)
    }
    // Buckets that an older server wrote: a newer one takes those that mix types once it has been told to.
    const series = collection.slice(BUCKETS.length)
    const command = { collMod: series, timeseriesBucketsMayHaveMixedSchemaData: true, ...MAJORITY }
    await connection.send({ database, command }, signal)
    await connection.receive(signal)
    const taken = Number(reply['n'])
    const left = documents.subarray(offsetOf(documents, taken))
    const rest = await insert(connection, target, left, literally, signal)
    checkReply({ ...rest, n: Number(rest['n']) + taken }, count, target)
  } finally {
    wire.giveBack(connection)
  }
}

/**
 * What keeps a server from putting the present time in the place of an empty timestamp (MongoDB manual, BSON Types,
 * "Timestamps"), where its version knows how (SERVER-88750; the versions as mongo-tools has them).
 */
export function takesLiterally(serverVersion: string): Document {
  const [major = 0, minor = 0, patch = 0] = serverVersion.split('.').map((part) => Number.parseInt(part, 10))
  const since = new Map([
    [5, 29],
    [6, 17],
    [7, 13],
  ]).get(major)
  const knows = major >= 8 || (minor === 0 && since !== undefined && patch >= since)
  return knows ? { bypassEmptyTsReplacement: true } : {}
}

async function insert(
  connection: WireConnection,
  { database, collection }: Target,
  documents: Uint8Array,
  literally: Document,
  signal: AbortSignal,
): Promise<Document> {
  const command = {
    ...{ insert: collection, ordered: true },
    // Of buckets it is not wanted: the server's own validator holds for them (mongorestore does the same).
    ...(collection.startsWith(BUCKETS) ? {} : { bypassDocumentValidation: true }),
    ...literally,
    ...MAJORITY,
  }
  await connection.send({ database, command, sequence: { field: 'documents', documents } }, signal)
  return await connection.receive(signal)
}

function checkReply(reply: Document, count: number, { database, collection }: Target): void {
  const doing = `inserting into ${database}.${collection}`
  const error: unknown = reply['writeErrors']?.[0]?.errmsg ?? reply['writeConcernError']?.errmsg
  if (error !== undefined) throw new Failure(`${doing}: ${String(error)}`, { code: 'unavailable' })
  if (reply['n'] === count) return
  throw new Failure(`${doing}: ${reply['n']} of ${count} documents were taken`, { code: 'internal' })
}

/** Where the document of that number begins. */
function offsetOf(documents: Uint8Array, index: number): number {
  const view = new DataView(documents.buffer, documents.byteOffset, documents.byteLength)
  let at = 0
  for (let passed = 0; passed < index; passed += 1) at += view.getInt32(at, true)
  return at
}
