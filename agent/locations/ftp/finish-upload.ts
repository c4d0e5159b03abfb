import { FTPError } from 'basic-ftp'
import type { Clock } from '../../core/clock.ts'
import { Failure } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import type { Retry } from '../retry.ts'
import { isLost, isUnknown } from './classify.ts'
import type { FtpConnection } from './connection.ts'
import type { FtpConnections } from './connections.ts'
import { sizeOf } from './folders.ts'

// What was uploaded for hours is not given up for a minute without network.
const FINISH_ATTEMPTS = 10
const FINISH_PAUSE_MS = 5 * SECOND_MS
const SETTLE_ATTEMPTS = 10
const SETTLE_MS = SECOND_MS

export interface UploadCall {
  readonly doing: string
  readonly signal: AbortSignal
  readonly clock: Clock
  /** Absent: what breaks is not gone on with. */
  readonly retry?: Retry | undefined
}

export interface Stored {
  readonly key: string
  readonly temporary: string
  readonly sent: number
  /** The server said that it has it all. */
  readonly confirmed: boolean
}

/**
 * Compares what the server keeps with what was sent, and gives it its name. Done again after any reply that was lost:
 * what lies where says how far it came.
 */
export async function finishUpload(connections: FtpConnections, stored: Stored, call: UploadCall): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connections.use(call.signal, (connection) => compareAndRename(connection, stored, call))
    } catch (thrown) {
      if (!isLost(thrown) || call.signal.aborted || attempt === FINISH_ATTEMPTS) throw thrown
      if (attempt > 1) await call.clock.sleep(FINISH_PAUSE_MS, call)
    }
  }
}

async function compareAndRename(connection: FtpConnection, stored: Stored, call: UploadCall): Promise<void> {
  const { key, temporary, sent } = stored
  const from = connection.path(temporary)
  const to = connection.path(key)
  const kept = await settledSize(connection, stored, call)
  if (kept === undefined && (await sizeOf(connection, to, call.signal)) === sent) return
  if (kept !== sent) {
    const found = kept === undefined ? 'none of them are there' : `the server keeps ${kept}`
    throw new Failure(`${call.doing}: ${sent} bytes were sent, ${found}`, { code: 'damaged', retryable: true })
  }
  await rename(connection, from, to, call.signal)
}

/** Where the server did not confirm, it may still be writing what had been on its way. */
export async function settledSize(
  connection: FtpConnection,
  { temporary, sent, confirmed }: Omit<Stored, 'key'>,
  { clock, signal }: UploadCall,
): Promise<number | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const size = await sizeOf(connection, connection.path(temporary), signal)
    if (confirmed || size === undefined || size >= sent || attempt === SETTLE_ATTEMPTS) return size
    await clock.sleep(SETTLE_MS, { signal })
  }
}

/** Replaces the target, also on servers that refuse to: there the old object is gone a moment before the new one is. */
async function rename(connection: FtpConnection, from: string, to: string, signal: AbortSignal): Promise<void> {
  const begun = await connection.ask(`RNFR ${from}`)
  const reply = begun.code < 400 ? await connection.ask(`RNTO ${to}`) : begun
  if (reply.code < 400) return
  if (isUnknown(reply)) {
    throw new Failure(`the server cannot rename files: it answered ${reply.message}`, {
      code: 'unsupported',
      hint: 'Use another server: without that a backup on its way could be taken for a whole one.',
    })
  }
  if (reply === begun) throw new FTPError(reply)
  const refusal = new FTPError(reply)
  if (reply.code < 500 || (await sizeOf(connection, to, signal)) === undefined) throw refusal
  await connection.demand(`DELE ${to}`)
  await connection.demand(`RNFR ${from}`)
  await connection.demand(`RNTO ${to}`)
}
