import type { BuiltBatch } from './batch-cache.ts'
import type { ClusterTime } from './cluster-clock.ts'
import { type Collection, indexAfter, type Version } from './collection.ts'
import { CommandError } from './errors.ts'
import type { Store } from './store.ts'

/** Bytes of documents in one reply. MongoDB manual, getMore, "batchSize"; Limits and Thresholds. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024

/** MongoDB manual, `cursorTimeoutMillis`. */
const IDLE_CURSOR_MS = 10 * 60 * 1000

export interface CursorQuery {
  readonly namespace: string
  /** What to read from: a fixed version (snapshot, sorted, computed) or whatever the collection holds at the time. */
  readonly from: Version | Collection
  readonly snapshotTime?: ClusterTime
  readonly matches?: (document: Buffer) => boolean
  readonly project?: (document: Buffer) => Buffer
  readonly skip?: number
  /** Documents in all; 0 or absent for no limit. */
  readonly limit?: number
  readonly noTimeout?: boolean
  /** The session it was opened in. */
  readonly session?: string
}

interface Cursor extends CursorQuery {
  readonly id: bigint
  lastRecordId: number
  left: number
  toSkip: number
  usedAtMs: number
}

export interface Batch {
  readonly kind: 'firstBatch' | 'nextBatch'
  readonly namespace: string
  /** 0 when there is nothing more. */
  readonly id: bigint
  readonly atClusterTime?: ClusterTime
  /** Elements of the BSON array and its end, without its length. */
  readonly body: Buffer
}

export class Cursors {
  readonly #store: Store
  readonly #open = new Map<bigint, Cursor>()
  // Real ids are random; any number a double can tell apart will do, and small ones survive promotion to a double.
  #lastId = 7_000_000_000n

  constructor(store: Store) {
    this.#store = store
  }

  get size(): number {
    return this.#open.size
  }

  open(query: CursorQuery, options: { readonly batchSize: number; readonly single: boolean }): Batch {
    this.#expire()
    this.#lastId += 1n
    const cursor: Cursor = {
      ...query,
      id: this.#lastId,
      lastRecordId: 0,
      left: query.limit || Number.POSITIVE_INFINITY,
      toSkip: query.skip ?? 0,
      usedAtMs: Date.now(),
    }
    const { body, ended } = this.#batch(cursor, options.batchSize)
    const done = ended || options.single
    if (!done) this.#open.set(cursor.id, cursor)
    return this.#answer('firstBatch', cursor, body, done)
  }

  next(id: bigint, namespace: string, batchSize: number): Batch {
    this.#expire()
    const cursor = this.#open.get(id)
    if (!cursor || cursor.namespace !== namespace) throw new CommandError(43, `cursor id ${id} not found`)
    cursor.usedAtMs = Date.now()
    try {
      const { body, ended } = this.#batch(cursor, batchSize)
      if (ended) this.#open.delete(id)
      return this.#answer('nextBatch', cursor, body, ended)
    } catch (error) {
      this.#open.delete(id)
      throw error
    }
  }

  clear(): void {
    this.#open.clear()
  }

  /** What a session opened goes with it. MongoDB manual, endSessions. */
  killOf(sessions: readonly string[]): void {
    for (const [id, { session }] of this.#open) if (session && sessions.includes(session)) this.#open.delete(id)
  }

  kill(id: bigint): boolean {
    return this.#open.delete(id)
  }

  #answer(kind: Batch['kind'], cursor: Cursor, body: Buffer, done: boolean): Batch {
    return {
      kind,
      namespace: cursor.namespace,
      id: done ? 0n : cursor.id,
      body,
      ...(cursor.snapshotTime === undefined ? {} : { atClusterTime: cursor.snapshotTime }),
    }
  }

  #batch(cursor: Cursor, batchSize: number): { readonly body: Buffer; readonly ended: boolean } {
    const version = this.#versionOf(cursor)
    const start = indexAfter(version, cursor.lastRecordId)
    if (!cursor.matches && !cursor.project && cursor.toSkip === 0) return plainBatch(cursor, version, start, batchSize)
    const documents: Buffer[] = []
    let bytes = 0
    let index = start
    for (; index < version.length && documents.length < Math.min(batchSize, cursor.left); index++) {
      const document = version.documents[index]
      if (!document) break
      if (cursor.matches && !cursor.matches(document)) continue
      if (cursor.toSkip > 0) {
        cursor.toSkip -= 1
        continue
      }
      const shown = cursor.project ? cursor.project(document) : document
      if (documents.length > 0 && bytes + shown.length > MAX_BATCH_BYTES) break
      bytes += shown.length
      documents.push(shown)
    }
    advance(cursor, version, index, documents.length)
    return { body: arrayBody(documents), ended: cursor.left <= 0 || index >= version.length }
  }

  #versionOf(cursor: Cursor): Version {
    const time = cursor.snapshotTime
    if (time !== undefined && time < this.#store.historyStart()) throw snapshotTooOld()
    if (!('current' in cursor.from)) return cursor.from
    if (cursor.from.dropped) throw new CommandError(175, `collection dropped: ${cursor.namespace}`)
    return cursor.from.current
  }

  #expire(): void {
    const before = Date.now() - IDLE_CURSOR_MS
    for (const [id, cursor] of this.#open) {
      if (!cursor.noTimeout && cursor.usedAtMs < before) this.#open.delete(id)
    }
  }
}

/** MongoDB manual, Read Concern "snapshot": reads that outlive `minSnapshotHistoryWindowInSeconds`. */
export function snapshotTooOld(): CommandError {
  return new CommandError(239, 'Read timestamp is older than the oldest available timestamp.')
}

/** A batch of documents as they are, of which a prepared collection keeps the bytes. */
function plainBatch(cursor: Cursor, version: Version, start: number, batchSize: number) {
  const wanted = Math.min(batchSize, cursor.left)
  const build = (): BuiltBatch => {
    const end = batchEnd(version, start, wanted)
    return { body: arrayBody(version.documents.slice(start, end)), count: end - start }
  }
  const batch = version.batches ? version.batches.get(start, wanted, build) : build()
  const index = start + batch.count
  advance(cursor, version, index, batch.count)
  return { body: batch.body, ended: cursor.left <= 0 || index >= version.length }
}

function batchEnd(version: Version, start: number, wanted: number): number {
  let bytes = 0
  let index = start
  for (; index < version.length && index - start < wanted; index++) {
    bytes += version.documents[index]?.length ?? 0
    if (index > start && bytes > MAX_BATCH_BYTES) break
  }
  return index
}

function advance(cursor: Cursor, version: Version, index: number, count: number): void {
  cursor.left -= count
  if (index > 0) cursor.lastRecordId = Math.max(cursor.lastRecordId, version.recordIds[index - 1] ?? 0)
}

const keys: Buffer[] = []

function arrayBody(documents: readonly Buffer[]): Buffer {
  for (let key = keys.length; key < documents.length; key++) keys.push(Buffer.from(`\x03${key}\x00`, 'latin1'))
  let length = 1
  for (const [index, document] of documents.entries()) length += (keys[index]?.length ?? 0) + document.length
  const body = Buffer.allocUnsafeSlow(length)
  let at = 0
  for (const [index, document] of documents.entries()) {
    at += keys[index]?.copy(body, at) ?? 0
    at += document.copy(body, at)
  }
  body[at] = 0
  return body
}
