import type { ClientSession, Db, Document } from 'mongodb'
import { SECOND_MS } from '../../core/units.ts'

/** Stands in the server's log and in currentOp beside everything this program does. */
export const COMMENT = 'palette-backup'
/** What a change of the target carries, so that no election takes it back. */
export const MAJORITY = { writeConcern: { w: 'majority' }, comment: COMMENT }
/** For questions about the server and its collections, which it answers from memory. */
export const QUESTION_MS = 60 * SECOND_MS
/** Ending what was begun must happen although the run was cancelled, and must not hang it. */
export const CLEANUP_MS = 3 * SECOND_MS

/** What every operation of one reading has in common. */
export interface Reading {
  readonly session: ClientSession
  /** Ends whatever is on its way; cursors and the session are ended after that. */
  readonly signal: AbortSignal
}

/** One command with its comment and time limit; the reply is decoded. */
export function ask(db: Db, command: Document, { session, signal }: Reading): Promise<Document> {
  return db.command({ ...command, comment: COMMENT, maxTimeMS: QUESTION_MS }, { session, signal })
}
