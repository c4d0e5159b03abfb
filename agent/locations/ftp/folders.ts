import { posix } from 'node:path'
import { FTPError } from 'basic-ftp'
import { Failure } from '../../core/errors.ts'
import { MIB } from '../../core/units.ts'
import { ftpFailure, isUnknown } from './classify.ts'
import type { FtpConnection } from './connection.ts'
import type { Listed } from './listing.ts'
import { dateOf, parseMachineListing, parsePlainListing } from './listing.ts'

const LISTING_LIMIT_BYTES = 256 * MIB

/** Everything in a folder, or undefined when there is no such folder. */
export async function listFolder(
  connection: FtpConnection,
  path: string,
  signal: AbortSignal,
): Promise<Listed[] | undefined> {
  // Entered first: names with blanks, dashes and brackets are no safe arguments of LIST, and vsftpd answers LIST of a
  // folder that is not there with an empty listing.
  const entered = await connection.ask(`CWD ${path}`)
  if (entered.code >= 500 && path !== connection.path('')) {
    if ((await lookUp(connection, path, signal))?.kind !== 'folder') return undefined
  }
  if (entered.code >= 400) throw new FTPError(entered)
  if (await connection.hasMlsd()) return parseMachineListing(await textOf(connection, 'MLSD', signal))
  // Without -a, vsftpd does not show names that begin with a dot.
  const listed = await textOf(connection, 'LIST -a', signal)
  // Not even the folder itself: perhaps "-a" was taken for a name.
  return parsePlainListing(listed === '' ? await textOf(connection, 'LIST', signal) : listed)
}

/**
 * What is found under a path, according to the listing of the folder it should be in: a 550 to SIZE, DELE or CWD does
 * not tell "is not there" from "you may not".
 */
export async function lookUp(
  connection: FtpConnection,
  path: string,
  signal: AbortSignal,
): Promise<Listed | undefined> {
  const siblings = await listFolder(connection, posix.dirname(path), signal)
  const name = posix.basename(path)
  return siblings?.find((entry) => entry.name === name)
}

/** The size of a file, or undefined when it is not there. */
export async function sizeOf(
  connection: FtpConnection,
  path: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const reply = await connection.ask(`SIZE ${path}`)
  const size = /^213 +(\d+)/.exec(reply.message)?.[1]
  if (reply.code === 213 || isUnknown(reply)) connection.dialect.size = reply.code === 213
  if (reply.code === 213 && size !== undefined) return Number(size)
  if (reply.code >= 400 && reply.code < 500) throw new FTPError(reply)
  const found = await lookUp(connection, path, signal)
  return found?.kind === 'file' ? found.sizeBytes : undefined
}

/** By the server's clock, in UTC (RFC 3659, section 3); undefined where it does not say. */
export async function modifiedAt(connection: FtpConnection, path: string): Promise<Date | undefined> {
  const reply = await connection.ask(`MDTM ${path}`)
  return reply.code === 213 ? dateOf(reply.message.slice('213 '.length)) : undefined
}

async function textOf(connection: FtpConnection, command: string, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of connection.retrieve(command, signal)) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > LISTING_LIMIT_BYTES) {
        throw new Failure('the listing is longer than any directory of ours', { code: 'unsupported' })
      }
    }
  } catch (thrown) {
    // Removed, being empty, since it was entered? The next try will tell.
    if (!(thrown instanceof FTPError) || thrown.code !== 550) throw thrown
    const { message, cause } = ftpFailure(thrown, 'the folder was entered, but not listed', '')
    throw new Failure(message, { code: 'permission', retryable: true, cause })
  }
  return Buffer.concat(chunks).toString('utf8')
}
