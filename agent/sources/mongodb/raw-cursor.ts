import type { ClientSession, Db, Document, Timestamp } from 'mongodb'
import { Long } from 'mongodb'
import { MIB } from '../../core/units.ts'
import type { CursorReply } from './cursor-reply.ts'
import { documentsOf, readCursorReply } from './cursor-reply.ts'

/** Bytes a batch should have: larger ones gain nothing and cost memory here and cache on the server. */
const BATCH_BYTES = 2 * MIB
const FIRST_BATCH_DOCUMENTS = 101
const LARGEST_BATCH_DOCUMENTS = 100_000

export interface RawBatch {
  /** Stored bytes of each document; views into the reply. */
  readonly documents: Iterable<Uint8Array>
  readonly count: number
  readonly bytes: number
}

export interface RawFindOptions {
  readonly session: ClientSession
  readonly readConcern?: Document
}

/**
 * All documents of a collection as the bytes the server stores, a batch at a time. The next batch is on its way while
 * one is being worked on. Written on `find` and `getMore` (MongoDB manual, "Database Commands") because the driver's
 * cursor looks into every document even when it is asked for raw ones, which costs four fifths of the time.
 */
export async function* rawFind(db: Db, collection: string, options: RawFindOptions): AsyncGenerator<RawBatch> {
  const { session, readConcern } = options
  const find = {
    find: collection,
    batchSize: FIRST_BATCH_DOCUMENTS,
    noCursorTimeout: false,
    ...(readConcern && { readConcern }),
  }
  let reply = await command(db, find, session)
  let id = reply.id
  try {
    while (id !== 0n) {
      const next = command(db, getMore(collection, id, reply), session)
      // It is awaited below; if the consumer throws first, its outcome does not matter any more.
      next.catch(() => undefined)
      if (reply.count > 0) yield batchOf(reply)
      reply = await next
      id = reply.id
    }
    if (reply.count > 0) yield batchOf(reply)
  } finally {
    if (id !== 0n) await killCursor(db, collection, id, session)
  }
}

/** The cluster time a snapshot read was made at: proof that the server really gave one. */
export async function probeSnapshot(
  db: Db,
  collection: string,
  session: ClientSession,
): Promise<Timestamp | undefined> {
  const find = { find: collection, limit: 1, singleBatch: true, readConcern: { level: 'snapshot' } }
  return (await command(db, find, session)).atClusterTime
}

async function command(db: Db, body: Document, session: ClientSession): Promise<CursorReply> {
  const reply = await db.command({ ...body, comment: 'palette-backup' }, { session, raw: true })
  return readCursorReply(reply['cursor'])
}

function getMore(collection: string, id: bigint, last: CursorReply): Document {
  const average = last.count === 0 ? 0 : last.bytes / last.count
  const wanted = average === 0 ? FIRST_BATCH_DOCUMENTS : Math.round(BATCH_BYTES / average)
  const batchSize = Math.min(Math.max(wanted, 1), LARGEST_BATCH_DOCUMENTS)
  return { getMore: Long.fromBigInt(id), collection, batchSize }
}

function batchOf(reply: CursorReply): RawBatch {
  return { documents: documentsOf(reply), count: reply.count, bytes: reply.bytes }
}

async function killCursor(db: Db, collection: string, id: bigint, session: ClientSession): Promise<void> {
  // The server ends idle cursors by itself; failing to help must not hide why we leave.
  await db.command({ killCursors: collection, cursors: [Long.fromBigInt(id)] }, { session }).catch(() => undefined)
}
