import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import { FTPError } from 'basic-ftp'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { Failure } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import { isLost } from './classify.ts'
import type { FtpConnection } from './connection.ts'
import type { FtpConnections } from './connections.ts'
import { sizeOf } from './folders.ts'
import { UnconfirmedError } from './transfer.ts'

/** `<file>.<8 hexadecimal digits>.tmp`: what an unfinished put writes to. */
export const TEMPORARY = /\.[0-9a-f]{8}\.tmp$/

const CLEAN_UP_MS = 10 * SECOND_MS
const SETTLE_MS = SECOND_MS
const SETTLE_ATTEMPTS = 10
const FINISH_ATTEMPTS = 3

export interface UploadCall {
  readonly doing: string
  readonly signal: AbortSignal
  readonly clock: Clock
}

/** A name for one attempt alone: vsftpd lets a second STOR to a name wait, and later empty the file that was whole. */
export function temporaryKey(key: string): string {
  return `${key}.${randomBytes(4).toString('hex')}.tmp`
}

/** Uploads under the temporary key, compares the size, renames. Resolves with the bytes sent. */
export async function upload(
  connections: FtpConnections,
  key: string,
  temporary: string,
  body: AsyncIterable<Uint8Array>,
  call: UploadCall,
): Promise<number> {
  try {
    const { sent, confirmed } = await store(connections, temporary, body, call)
    await finish(connections, { key, temporary, sent, confirmed }, call)
    return sent
  } catch (thrown) {
    await cleanUp(connections, temporary, call.clock)
    throw thrown
  }
}

interface Stored {
  readonly key: string
  readonly temporary: string
  readonly sent: number
  /** The server said that it has it all. */
  readonly confirmed: boolean
}

async function store(
  connections: FtpConnections,
  temporary: string,
  body: AsyncIterable<Uint8Array>,
  { signal }: UploadCall,
): Promise<Pick<Stored, 'sent' | 'confirmed'>> {
  let pulled = false
  const watched = {
    async *[Symbol.asyncIterator]() {
      pulled = true
      yield* body
    },
  }
  const attempt = (): Promise<number> =>
    connections.use(signal, async (connection) => {
      await enterFolder(connection, posix.dirname(connection.path(temporary)))
      return await connection.store(connection.path(temporary), watched, signal)
    })
  try {
    // The folder may be removed, being empty, between the look at it and the upload: once more then.
    const sent = await attempt().catch((thrown: unknown) => {
      if (pulled || !(thrown instanceof FTPError) || thrown.code < 550) throw thrown
      return attempt()
    })
    return { sent, confirmed: true }
  } catch (thrown) {
    if (thrown instanceof UnconfirmedError) return { sent: thrown.sent, confirmed: false }
    throw thrown
  }
}

async function enterFolder(connection: FtpConnection, folder: string): Promise<void> {
  if ((await connection.ask(`CWD ${folder}`)).code >= 400) await connection.makeFolders(folder)
}

/** May be done again after any reply that was lost: what lies where says how far it came. */
async function finish(connections: FtpConnections, stored: Stored, call: UploadCall): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connections.use(call.signal, (connection) => compareAndRename(connection, stored, call))
    } catch (thrown) {
      if (!isLost(thrown) || call.signal.aborted || attempt === FINISH_ATTEMPTS) throw thrown
    }
  }
}

async function compareAndRename(connection: FtpConnection, stored: Stored, call: UploadCall): Promise<void> {
  const { key, temporary, sent } = stored
  const from = connection.path(temporary)
  const to = connection.path(key)
  const kept = await settledSize(connection, from, stored, call)
  if (kept === undefined && (await sizeOf(connection, to, call.signal)) === sent) return
  if (kept !== sent) {
    const found = kept === undefined ? 'none of them are there' : `the server keeps ${kept}`
    throw new Failure(`${call.doing}: ${sent} bytes were sent, ${found}`, { code: 'damaged', retryable: true })
  }
  await rename(connection, from, to, call.signal)
}

/** Where the server did not confirm, it may still be writing what had been on its way. */
async function settledSize(
  connection: FtpConnection,
  path: string,
  { sent, confirmed }: Stored,
  { clock, signal }: UploadCall,
): Promise<number | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const size = await sizeOf(connection, path, signal)
    if (confirmed || size === undefined || size >= sent || attempt === SETTLE_ATTEMPTS) return size
    await clock.sleep(SETTLE_MS, { signal })
  }
}

/** Replaces the target, also on servers that refuse to: there the old object is gone a moment before the new one is. */
async function rename(connection: FtpConnection, from: string, to: string, signal: AbortSignal): Promise<void> {
  await connection.demand(`RNFR ${from}`)
  const reply = await connection.ask(`RNTO ${to}`)
  if (reply.code < 400) return
  const refusal = new FTPError(reply)
  if (reply.code < 500 || (await sizeOf(connection, to, signal)) === undefined) throw refusal
  await connection.demand(`DELE ${to}`)
  await connection.demand(`RNFR ${from}`)
  await connection.demand(`RNTO ${to}`)
}

/** As far as it can be done now, also after an abort; what stays is on record as a leftover. */
async function cleanUp(connections: FtpConnections, temporary: string, clock: Clock): Promise<void> {
  const late = (): Error => new Error('Timeout')
  const never = new AbortController().signal
  await withTimeout(clock, CLEAN_UP_MS, never, late, (signal) =>
    connections.use(signal, (connection) => connection.ask(`DELE ${connection.path(temporary)}`)),
  ).catch(() => undefined)
}
