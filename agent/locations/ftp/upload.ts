import { posix } from 'node:path'
import { FTPError } from 'basic-ftp'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { Failure } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import { ftpFailure, isCut, isUnknown } from './classify.ts'
import type { FtpConnection } from './connection.ts'
import type { FtpConnections } from './connections.ts'
import type { UploadCall } from './finish-upload.ts'
import { finishUpload, settledSize } from './finish-upload.ts'
import type { RetainedBody } from './retained-body.ts'
import { MEAGRE, UnconfirmedError } from './transfer.ts'

const CLEAN_UP_MS = 10 * SECOND_MS
// Connections in a row that bring nothing. Who hangs may be let go of later: vsftpd lets the next upload of a file wait
// for a session that died in silence, for five minutes.
const CUTS = 2
const HANGS = 5

/** Uploads under the temporary key, compares the size, renames. Resolves with the bytes sent. */
export async function upload(
  connections: FtpConnections,
  key: string,
  temporary: string,
  body: RetainedBody,
  call: UploadCall,
): Promise<number> {
  const upload = new Upload(connections, temporary, body, call)
  try {
    const confirmed = await upload.store()
    await finishUpload(connections, { key, temporary, sent: body.bytes, confirmed }, call)
    return body.bytes
  } catch (thrown) {
    if (upload.begun) await cleanUp(connections, temporary, call.clock)
    throw thrown
  }
}

class Upload {
  readonly #connections: FtpConnections
  readonly #temporary: string
  readonly #body: RetainedBody
  readonly #call: UploadCall
  /** The server may have made the temporary file. */
  begun = false

  constructor(connections: FtpConnections, temporary: string, body: RetainedBody, call: UploadCall) {
    this.#connections = connections
    this.#temporary = temporary
    this.#body = body
    this.#call = call
  }

  /**
   * Sends the body, and goes on where the connection broke as long as each one brings something. Resolves with whether
   * the server has confirmed it.
   */
  async store(): Promise<boolean> {
    const { clock, signal } = this.#call
    let stalls = 0
    let meagre = 0
    let brokenBy: unknown
    for (let at = 0; ; ) {
      try {
        // Once more where that costs nothing: the folder, being empty, may have been removed between the look at it and
        // the upload; and a connection that was kept may have a TLS session that the server has forgotten.
        await this.#send(at).catch((thrown: unknown) => {
          if (this.#body.pulled || !(thrown instanceof FTPError)) throw thrown
          return this.#send(at)
        })
        return true
      } catch (thrown) {
        // It does not know how to begin in the middle of a file.
        if (thrown instanceof FTPError && isUnknown(thrown) && brokenBy !== undefined) throw brokenBy
        brokenBy = thrown
        const kept = await this.#keptAfter(thrown)
        if (thrown instanceof UnconfirmedError && kept === this.#body.bytes) return false
        if (kept === undefined || kept === 0 || !this.#body.reaches(kept)) {
          // Not told from one that was renamed: what lies there now decides.
          if (thrown instanceof UnconfirmedError) return false
          throw thrown
        }
        stalls = kept > at ? 0 : stalls + 1
        if (stalls >= (isCut(thrown) ? CUTS : HANGS)) throw stalled(thrown, kept)
        meagre = kept - at < MEAGRE.bytes ? meagre + 1 : 0
        if (meagre === MEAGRE.connections) throw thrown
        if (stalls > 0) await clock.sleep(stalls * SECOND_MS, { signal })
        at = kept
      }
    }
  }

  async #send(offset: number): Promise<void> {
    const { signal } = this.#call
    await this.#connections.use(signal, async (connection) => {
      const path = connection.path(this.#temporary)
      if (offset === 0) await enterFolder(connection, posix.dirname(path))
      this.begun = true
      // Behind what is there, and not by APPE: a session of before that still writes would write the same bytes.
      await connection.store(path, this.#body.from(offset), signal, offset)
    })
  }

  /** What the server keeps of it, where going on makes sense. */
  async #keptAfter(thrown: unknown): Promise<number | undefined> {
    const { retry, signal, doing } = this.#call
    const unconfirmed = thrown instanceof UnconfirmedError
    if (!retry || signal.aborted || !(unconfirmed || ftpFailure(thrown, doing, '').retryable)) return undefined
    const look = async (): Promise<number | undefined> => {
      try {
        const stored = { temporary: this.#temporary, sent: this.#body.bytes, confirmed: !unconfirmed }
        return await this.#connections.use(signal, (connection) => settledSize(connection, stored, this.#call))
      } catch (failed) {
        throw ftpFailure(failed, doing, '')
      }
    }
    // That it cannot be found out either says less than what was met first.
    return await retry(look, signal).catch(() => undefined)
  }
}

/** Servers that are full mostly cut the connection before they say so, and keep what fits. */
function stalled(thrown: unknown, kept: number): unknown {
  if (!isCut(thrown)) return thrown
  const { message } = ftpFailure(thrown, 'last', '')
  return new Failure(`the server keeps ${kept} bytes and takes no more, ${CUTS + 1} times over; ${message}`, {
    code: 'no_space',
    hint: 'Its disk, or the quota of the FTP user, is probably full: make room, or shorten retention_period.',
    cause: thrown,
  })
}

async function enterFolder(connection: FtpConnection, folder: string): Promise<void> {
  if ((await connection.ask(`CWD ${folder}`)).code >= 400) await connection.makeFolders(folder)
}

/** As far as it can be done now, also after an abort; what stays is on record as a leftover. */
async function cleanUp(connections: FtpConnections, temporary: string, clock: Clock): Promise<void> {
  const late = (): Error => new Error('Timeout')
  const never = new AbortController().signal
  await withTimeout(clock, CLEAN_UP_MS, never, late, (signal) =>
    connections.use(signal, (connection) => connection.ask(`DELE ${connection.path(temporary)}`)),
  ).catch(() => undefined)
}
