import type { Document, MongoClient } from 'mongodb'
import { MongoServerError, type Timestamp } from 'mongodb'
import { dataCollection } from './archive/format.ts'
import type { CollectionInfo } from './inventory.ts'
import type { Reading } from './operation.ts'
import { probeSnapshot } from './raw-cursor.ts'

/** MongoDB manual, "Read Concern snapshot": capped collections. */
const SNAPSHOT_OF_CAPPED_SINCE = 8

/** How every collection is to be read. */
export interface ReadPoint {
  readonly readConcern?: Document
  /** The instant, where the server gave one. */
  readonly at?: Date
  /** Why there is no instant. */
  readonly reason?: string
  /** The server cannot read capped collections at an instant: those are read as they are when they are read. */
  readonly exceptCapped?: boolean
}

/**
 * One cluster time for the whole dump (MongoDB manual, "Read Concern snapshot"). A server that accepts the read concern
 * and names no cluster time has ignored it: believing such a server would be a lie in the manifest.
 */
export async function chooseReadPoint(
  client: MongoClient,
  reading: Reading,
  collections: readonly CollectionInfo[],
  serverVersion: string,
): Promise<ReadPoint> {
  const first = collections.find(({ type, capped }) => type !== 'view' && !capped)
  if (!first) return { reason: 'there is no collection to read' }
  let at: Timestamp | undefined
  try {
    at = await probeSnapshot(client.db(first.database), dataCollection(first.collection, first.type), reading)
  } catch (thrown) {
    if (!(thrown instanceof MongoServerError)) throw thrown
    return { reason: `the server refuses snapshot reads: ${thrown.message}` }
  }
  if (!at) return { reason: 'the server took the snapshot read and named no cluster time, so it gave no snapshot' }
  return {
    readConcern: { level: 'snapshot', atClusterTime: at },
    at: new Date(at.t * 1000),
    exceptCapped: Number.parseInt(serverVersion, 10) < SNAPSHOT_OF_CAPPED_SINCE,
  }
}

/** Without an instant, at least nothing that an election may take back (MongoDB manual, "Read Concern majority"). */
export function withoutInstant(reason: string, replicated: boolean): ReadPoint {
  return { reason, ...(replicated ? { readConcern: { level: 'majority' } } : {}) }
}
