import { posix } from 'node:path'
import { FTPError } from 'basic-ftp'
import type { FtpLocationConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import { MINUTE_MS } from '../../core/units.ts'
import { checkKey, checkPrefix, sortEntries } from '../key.ts'
import type { CallOptions, Entry, GetOptions, Leftover, Location, PutOptions } from '../location.ts'
import { ftpFailure } from './classify.ts'
import type { FtpConnection } from './connection.ts'
import { FtpConnections } from './connections.ts'
import { listFolder, sizeOf } from './folders.ts'
import { TEMPORARY, temporaryKey, upload } from './upload.ts'

export interface FtpLocationOptions {
  readonly clock: Clock
  /** Give up on a connection on which nothing moved for so long. Default: a minute. */
  readonly silenceMs?: number
}

/** Makes no connection yet. The directory is made by the first operation, where it is not there. */
export function openFtp(config: FtpLocationConfig, options: FtpLocationOptions): Location {
  return new FtpLocation(config, options)
}

/** A directory of an FTP server. A put is a file under a temporary name that is compared and renamed. */
class FtpLocation implements Location {
  readonly name: string
  readonly #config: FtpLocationConfig
  readonly #clock: Clock
  readonly #connections: FtpConnections

  constructor(config: FtpLocationConfig, { clock, silenceMs = MINUTE_MS }: FtpLocationOptions) {
    this.name = config.name
    this.#config = config
    this.#clock = clock
    const dialect = { pasvOnly: false, mlsd: undefined }
    this.#connections = new FtpConnections({ config, clock, silenceMs, dialect })
  }

  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<{ sizeBytes: number }> {
    return this.#doing('storing', key, options, async (doing) => {
      checkKey(key)
      const { signal } = options
      const temporary = temporaryKey(key)
      await options.onLeftover?.({ key, handle: temporary })
      const call = { doing, signal, clock: this.#clock }
      return { sizeBytes: await upload(this.#connections, key, temporary, body, call) }
    })
  }

  async *get(key: string, { signal, offset = 0 }: GetOptions): AsyncGenerator<Uint8Array> {
    const doing = this.#describe('reading', key)
    try {
      checkKey(key)
      throwIfAborted(signal, doing)
      const lease = await this.#connections.lease(signal)
      try {
        yield* read(lease.connection, key, offset, doing, signal)
        lease.giveBack()
      } finally {
        lease.drop()
      }
    } catch (thrown) {
      throw this.#failure(thrown, doing, signal)
    }
  }

  list(prefix: string, options: CallOptions): Promise<Entry[]> {
    return this.#doing('listing', prefix || 'everything', options, async () => {
      checkPrefix(prefix)
      const entries: Entry[] = []
      await this.#connections.use(options.signal, (connection) => walk(connection, prefix, entries, options.signal))
      return sortEntries(entries)
    })
  }

  delete(key: string, options: CallOptions): Promise<void> {
    return this.#doing('deleting', key, options, async (doing) => {
      checkKey(key)
      await this.#connections.use(options.signal, (connection) => remove(connection, key, doing, options.signal))
    })
  }

  stat(key: string, options: CallOptions): Promise<Entry | undefined> {
    return this.#doing('looking up', key, options, async () => {
      checkKey(key)
      const { signal } = options
      const sizeBytes = await this.#connections.use(signal, (connection) =>
        sizeOf(connection, connection.path(key), signal),
      )
      return sizeBytes === undefined ? undefined : { key, sizeBytes }
    })
  }

  discard({ key, handle }: Leftover, options: CallOptions): Promise<void> {
    return this.#doing('cleaning up', key, options, async (doing) => {
      checkKey(handle)
      if (!TEMPORARY.test(handle)) {
        throw new Failure(`${doing}: ${handle} is no temporary file of ours`, { code: 'internal' })
      }
      await this.#connections.use(options.signal, (connection) => remove(connection, handle, doing, options.signal))
    })
  }

  async close(): Promise<void> {
    this.#connections.close()
  }

  async #doing<T>(
    verb: string,
    what: string,
    { signal }: CallOptions,
    task: (doing: string) => Promise<T>,
  ): Promise<T> {
    const doing = this.#describe(verb, what)
    try {
      throwIfAborted(signal, doing)
      return await task(doing)
    } catch (thrown) {
      throw this.#failure(thrown, doing, signal)
    }
  }

  #describe(verb: string, what: string): string {
    return `${verb} ${what} in ${this.name}`
  }

  #failure(thrown: unknown, doing: string, signal: AbortSignal): Failure {
    if (signal.aborted) {
      const { reason: cause } = signal
      return cause instanceof Failure ? cause : new Failure(`${doing}: cancelled`, { code: 'cancelled', cause })
    }
    return ftpFailure(thrown, doing, this.#config.password.reveal())
  }
}

async function* read(
  connection: FtpConnection,
  key: string,
  offset: number,
  doing: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const path = connection.path(key)
  const size = await sizeOf(connection, path, signal)
  if (size === undefined) throw new Failure(`${doing}: it is not there`, { code: 'not_found' })
  if (offset >= size) return
  let received = 0
  for await (const chunk of connection.retrieve(`RETR ${path}`, signal, offset)) {
    received += chunk.length
    yield chunk
  }
  if (received === size - offset) return
  throw new Failure(`${doing}: ${received} bytes came, of ${size - offset} that the server keeps`, {
    code: 'unreachable',
    retryable: true,
  })
}

async function walk(connection: FtpConnection, prefix: string, entries: Entry[], signal: AbortSignal): Promise<void> {
  const listed = await listFolder(connection, connection.path(prefix.slice(0, -1)), signal)
  for (const { name, kind, sizeBytes, modified } of listed ?? []) {
    const key = `${prefix}${name}`
    if (kind === 'folder') await walk(connection, `${key}/`, entries, signal)
    else if (!TEMPORARY.test(name)) entries.push({ key, sizeBytes, ...(modified === undefined ? {} : { modified }) })
  }
}

/** A folder that this empties goes too: a listing enters every folder there is. */
async function remove(connection: FtpConnection, key: string, doing: string, signal: AbortSignal): Promise<void> {
  const path = connection.path(key)
  const folder = posix.dirname(path)
  const reply = await connection.ask(`DELE ${path}`)
  if (reply.code >= 400 && reply.code < 500) throw new FTPError(reply)
  const siblings = await listFolder(connection, folder, signal)
  if (siblings?.some(({ name, kind }) => kind === 'file' && name === posix.basename(path))) {
    if (reply.code >= 400) throw new FTPError(reply)
    throw new Failure(`${doing}: the server accepted it, but the file is still there`, {
      code: 'unavailable',
      retryable: true,
    })
  }
  if (siblings?.length !== 0 || folder === connection.path('')) return
  await connection.demand(`CWD ${connection.path('')}`)
  await connection.ask(`RMD ${folder}`)
}
