import type { Db, Document, Timestamp } from 'mongodb'
import { Long, MongoServerError } from 'mongodb'
import { HOUR_MS, MIB } from '../../core/units.ts'
import type { Gathered } from './archive/document-memory.ts'
import type { CursorReply } from './cursor-reply.ts'
import { gathered, listed, readCursorReply } from './cursor-reply.ts'
import { CLEANUP_MS, COMMENT, QUESTION_MS, type Reading } from './operation.ts'
import type { Pace } from './pace.ts'
import type { WireConnection } from './wire/connection.ts'
import type { Wire } from './wire/wire.ts'

/** Bytes a batch should have: larger ones gain nothing and cost memory here and cache on the server. */
const BATCH_BYTES = 2 * MIB
const FIRST_BATCH_DOCUMENTS = 101
const LARGEST_BATCH_DOCUMENTS = 100_000
/**
 * Time that the server may work for one cursor, all its batches together (MongoDB manual, cursor.maxTimeMS): only a limit
 * for what everybody has forgotten. A batch that does not come at all ends with the connection.
 */
const CURSOR_WORK_MS = 6 * HOUR_MS

export interface RawFindOptions extends Reading {
  readonly wire: Wire
  readonly pace: Pace
  readonly readConcern?: Document
  /** Average size of the documents, where it is known: for the size of the first batch. */
  readonly documentBytes?: number
  /** Read the buckets of a time series that has no collection for them (MongoDB 8.3). */
  readonly rawData?: boolean
}

/**
 * All documents of a collection as the bytes the server stores, a batch at a time; a batch is valid until the next is
 * asked for. The server prepares the next one meanwhile. Written on `find` and `getMore` (MongoDB manual, "Database
 * Commands") because the driver's cursor looks into every document even when it is asked for raw ones.
 *
 * The cursor does not time out by itself, so that a location may be slow; it lives as long as its session, which is
 * refreshed while the run lives and ends half an hour after it (MongoDB manual, "Session Idle Timeout").
 */
export async function* rawFind(db: Db, collection: string, options: RawFindOptions): AsyncGenerator<Gathered> {
  const { wire, readConcern, documentBytes, rawData, pace, signal } = options
  const find = {
    find: collection,
    batchSize: documentBytes ? Math.min(FIRST_BATCH_DOCUMENTS, batchSize(documentBytes, pace)) : FIRST_BATCH_DOCUMENTS,
    noCursorTimeout: true,
    maxTimeMS: CURSOR_WORK_MS,
    ...(rawData && { rawData }),
    ...(readConcern && { readConcern }),
  }
  const connection = await wire.borrow(signal)
  const asking = { connection, database: db.databaseName, ...options }
  let id = 0n
  try {
    let reply = await openCursor(asking, find)
    for (;;) {
      id = reply.id
      const batch = gathered(reply)
      if (id !== 0n) {
        await pace.spend(batch.run.length, signal)
        await send(asking, getMore(collection, id, batch, pace))
      }
      if (batch.count > 0) yield batch
      if (id === 0n) return
      reply = await receive(asking)
    }
  } finally {
    wire.giveBack(connection)
    if (id !== 0n) await killCursor(db, collection, id, options)
  }
}

/** Everything that a command which answers with a cursor lists, as bytes: `listCollections`, `listIndexes`. */
export async function rawList(db: Db, body: Document, reading: Reading): Promise<Buffer[]> {
  const found: Buffer[] = []
  const limited = { ...body, maxTimeMS: QUESTION_MS }
  for (let reply = await command(db, limited, reading); ; ) {
    found.push(...listed(reply))
    if (reply.id === 0n) return found
    // A list goes on under the name that the first reply gave it.
    const collection = reply.namespace.slice(db.databaseName.length + 1)
    reply = await command(db, { getMore: Long.fromBigInt(reply.id), collection }, reading)
  }
}

/** The cluster time a snapshot read was made at: proof that the server really gave one. */
export async function probeSnapshot(db: Db, collection: string, reading: Reading): Promise<Timestamp | undefined> {
  const find = {
    find: collection,
    limit: 1,
    singleBatch: true,
    readConcern: { level: 'snapshot' },
    maxTimeMS: QUESTION_MS,
  }
  return (await command(db, find, reading)).atClusterTime
}

/** `NotImplemented` (MongoDB manual, "Error Codes"): of a server that speaks the protocol and does not know the option. */
const NOT_IMPLEMENTED = 238

interface Asking extends Reading {
  readonly connection: WireConnection
  readonly database: string
}

/** What is not MongoDB itself may refuse a cursor without a time-out: then it has the one that it gives. */
async function openCursor(asking: Asking, find: Document): Promise<CursorReply> {
  try {
    await send(asking, find)
    return await receive(asking)
  } catch (thrown) {
    if (!(thrown instanceof MongoServerError) || thrown.code !== NOT_IMPLEMENTED) throw thrown
    const { noCursorTimeout: _, ...plain } = find
    await send(asking, plain)
    return await receive(asking)
  }
}

async function send({ connection, database, session, signal }: Asking, body: Document): Promise<void> {
  await connection.send({ database, command: { ...body, comment: COMMENT }, session }, signal)
}

async function receive({ connection, signal }: Asking): Promise<CursorReply> {
  const reply = await connection.receiveRaw(signal)
  return readCursorReply(reply['cursor'])
}

async function command(db: Db, body: Document, { session, signal }: Reading): Promise<CursorReply> {
  const reply = await db.command({ ...body, comment: COMMENT }, { session, signal, raw: true })
  return readCursorReply(reply['cursor'])
}

function getMore(collection: string, id: bigint, { run, count }: Gathered, pace: Pace): Document {
  const average = count === 0 ? 0 : run.length / count
  const size = average === 0 ? FIRST_BATCH_DOCUMENTS : batchSize(average, pace)
  return { getMore: Long.fromBigInt(id), collection, batchSize: size }
}

function batchSize(documentBytes: number, pace: Pace): number {
  const wanted = Math.round(pace.batchBytes(BATCH_BYTES) / documentBytes)
  return Math.min(Math.max(wanted, 1), LARGEST_BATCH_DOCUMENTS)
}

async function killCursor(db: Db, collection: string, id: bigint, { session }: Reading): Promise<void> {
  const kill = { killCursors: collection, cursors: [Long.fromBigInt(id)], comment: COMMENT }
  // The server ends them with the session; failing to help must not hide why we leave.
  await db.command(kill, { session, signal: AbortSignal.timeout(CLEANUP_MS) }).catch(() => undefined)
}
