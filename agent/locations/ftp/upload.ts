import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import { FTPError } from 'basic-ftp'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { SECOND_MS } from '../../core/units.ts'
import { BodyError } from './classify.ts'
import type { FtpConnection } from './connection.ts'
import type { FtpConnections } from './connections.ts'
import type { Stored, UploadCall } from './finish-upload.ts'
import { finishUpload } from './finish-upload.ts'
import { UnconfirmedError } from './transfer.ts'

/** `<file>.<8 hexadecimal digits>.tmp`: what an unfinished put writes to. */
export const TEMPORARY = /\.[0-9a-f]{8}\.tmp$/

const CLEAN_UP_MS = 10 * SECOND_MS

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
  let begun = false
  const begin = (): void => {
    begun = true
  }
  try {
    const { sent, confirmed } = await store(connections, temporary, body, call, begin)
    await finishUpload(connections, { key, temporary, sent, confirmed }, call)
    return sent
  } catch (thrown) {
    if (begun) await cleanUp(connections, temporary, call.clock)
    throw thrown
  }
}

async function store(
  connections: FtpConnections,
  temporary: string,
  body: AsyncIterable<Uint8Array>,
  { signal }: UploadCall,
  begin: () => void,
): Promise<Pick<Stored, 'sent' | 'confirmed'>> {
  let pulled = false
  const watched = {
    async *[Symbol.asyncIterator]() {
      pulled = true
      try {
        yield* body
      } catch (thrown) {
        throw new BodyError(thrown)
      }
    },
  }
  const attempt = (): Promise<number> =>
    connections.use(signal, async (connection) => {
      await enterFolder(connection, posix.dirname(connection.path(temporary)))
      begin()
      return await connection.store(connection.path(temporary), watched, signal)
    })
  try {
    // Once more where that costs nothing: the folder, being empty, may have been removed between the look at it and
    // the upload; and a connection that was kept may have a TLS session that the server has forgotten.
    const sent = await attempt().catch((thrown: unknown) => {
      if (pulled || !(thrown instanceof FTPError)) throw thrown
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

/** As far as it can be done now, also after an abort; what stays is on record as a leftover. */
async function cleanUp(connections: FtpConnections, temporary: string, clock: Clock): Promise<void> {
  const late = (): Error => new Error('Timeout')
  const never = new AbortController().signal
  await withTimeout(clock, CLEAN_UP_MS, never, late, (signal) =>
    connections.use(signal, (connection) => connection.ask(`DELE ${connection.path(temporary)}`)),
  ).catch(() => undefined)
}
