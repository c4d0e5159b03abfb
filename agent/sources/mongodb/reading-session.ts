import type { ClientSession, MongoClient } from 'mongodb'
import type { Clock } from '../../core/clock.ts'
import { MINUTE_MS } from '../../core/units.ts'
import { CLEANUP_MS, COMMENT } from './operation.ts'

/** A third of the time after which the server ends an unused session, and with it the cursors that wait for a slow location. */
const REFRESH_MS = 10 * MINUTE_MS

export interface ReadingSession extends AsyncDisposable {
  readonly session: ClientSession
}

/**
 * The session of one reading, kept alive until it is disposed of and then ended on the server at once (MongoDB manual,
 * refreshSessions; endSessions). Not causally consistent: such a session may not name an instant of its own.
 */
export function openSession(client: MongoClient, clock: Clock): ReadingSession {
  const session = client.startSession({ causalConsistency: false })
  const admin = client.db('admin')
  const over = new AbortController()
  const refreshing = refresh()
  async function refresh(): Promise<void> {
    while (!over.signal.aborted) {
      await clock.sleep(REFRESH_MS, { signal: over.signal, unref: true }).catch(() => undefined)
      if (over.signal.aborted) return
      const command = { refreshSessions: [session.id], comment: COMMENT }
      // One that fails is made again in time; if the server is gone the reading fails by itself.
      await admin.command(command, { signal: AbortSignal.timeout(CLEANUP_MS) }).catch(() => undefined)
    }
  }
  return {
    session,
    async [Symbol.asyncDispose]() {
      over.abort()
      await refreshing
      const { id } = session
      await session.endSession().catch(() => undefined)
      // The driver says goodbye only for sessions that met no network error.
      const command = { endSessions: [id], comment: COMMENT }
      await admin.command(command, { signal: AbortSignal.timeout(CLEANUP_MS) }).catch(() => undefined)
    },
  }
}
