import { posix } from 'node:path'
import { FTPError } from 'basic-ftp'
import type { FtpLocationConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import { MINUTE_MS } from '../../core/units.ts'
import { checkKey, checkPrefix, sortEntries } from '../key.ts'
import type { CallOptions, Entry, GetOptions, Leftover, ListOptions, Location, PutOptions } from '../location.ts'
import { isReplayable, isTemporary, temporaryKey } from '../location.ts'
import type { Retry } from '../retry.ts'
import { BodyError, ftpFailure } from './classify.ts'
import type { FtpConnection } from './connection.ts'
import { FtpConnections } from './connections.ts'
import { type Dialect, factsOf, newDialect } from './dialect.ts'
import { download } from './download.ts'
import { listFolder, modifiedAt, sizeOf } from './folders.ts'
import { RetainedBody } from './retained-body.ts'
import { upload } from './upload.ts'

export interface FtpLocationOptions {
  readonly clock: Clock
  /** Give up on a connection on which nothing moved for so long. Default: a minute. */
  readonly silenceMs?: number
  /** How often the control connection is used while it waits for a transfer. Default: half a minute. */
  readonly keepAliveMs?: number
  /** How a transfer that broke goes on, where its beginning is out of reach of who asked for it. Default: not at all. */
  readonly retry?: Retry
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
  readonly #retry: Retry | undefined
  readonly #connections: FtpConnections
  readonly #dialect: Dialect

  constructor(config: FtpLocationConfig, options: FtpLocationOptions) {
    const { clock, retry, silenceMs = MINUTE_MS, keepAliveMs = MINUTE_MS / 2 } = options
    this.name = config.name
    this.#config = config
    this.#clock = clock
    this.#retry = retry
    const dialect = newDialect()
    this.#dialect = dialect
    this.#connections = new FtpConnections({ config, clock, silenceMs, keepAliveMs, dialect })
  }

  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<{ sizeBytes: number }> {
    return this.#doing('storing', key, options, async (doing) => {
      checkKey(key)
      const source = new RetainedBody(body)
      try {
        return { sizeBytes: await this.#put(key, source, doing, isReplayable(body) ? undefined : this.#retry, options) }
      } finally {
        source.leave()
      }
    })
  }

  async *get(key: string, { signal, offset = 0 }: GetOptions): AsyncGenerator<Uint8Array> {
    const doing = this.#describe('reading', key)
    try {
      checkKey(key)
      throwIfAborted(signal, doing)
      const failureOf = (thrown: unknown): Failure => this.#failure(thrown, doing, signal)
      yield* download(this.#connections, key, offset, { doing, signal, failureOf, retry: this.#retry })
    } catch (thrown) {
      throw this.#failure(thrown, doing, signal)
    }
  }

  list(prefix: string, options: ListOptions): Promise<Entry[]> {
    return this.#doing('listing', prefix || 'everything', options, async () => {
      checkPrefix(prefix)
      const entries: Entry[] = []
      await this.#connections.use(options.signal, (connection) => walk(connection, prefix, entries, options))
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
      if (!isTemporary(handle)) {
        throw new Failure(`${doing}: ${handle} is no temporary file of ours`, { code: 'internal' })
      }
      await this.#connections.use(options.signal, (connection) => remove(connection, handle, doing, options.signal))
    })
  }

  facts(): readonly string[] {
    return factsOf(this.#dialect)
  }

  async close(): Promise<void> {
    this.#connections.close()
  }

  /** Again from the start, under another name, as long as the start is still at hand. */
  async #put(
    key: string,
    source: RetainedBody,
    doing: string,
    retry: Retry | undefined,
    { signal, onLeftover }: PutOptions,
  ): Promise<number> {
    const call = { doing, signal, clock: this.#clock, retry }
    const attempt = async (): Promise<number> => {
      const temporary = temporaryKey(key)
      await onLeftover?.({ key, handle: temporary })
      return await upload(this.#connections, key, temporary, source, call)
    }
    if (!retry) return await attempt()
    const outcome = await retry(async () => {
      try {
        return await attempt()
      } catch (thrown) {
        if (thrown instanceof BodyError || !source.reaches(0)) return { thrown }
        throw this.#failure(thrown, doing, signal)
      }
    }, signal)
    if (typeof outcome === 'number') return outcome
    throw outcome.thrown
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

async function walk(connection: FtpConnection, prefix: string, entries: Entry[], options: ListOptions): Promise<void> {
  const { signal, shallow = false, enter = always, temporaries = false } = options
  const folders: string[] = []
  const listed = await listFolder(connection, connection.path(prefix.slice(0, -1)), signal)
  for (const { name, kind, sizeBytes, modified } of listed ?? []) {
    const key = `${prefix}${name}`
    if (kind === 'folder') {
      if (!shallow) folders.push(`${key}/`)
    } else if (isTemporary(name) === temporaries) {
      const at = modified ?? (temporaries ? await modifiedAt(connection, connection.path(key)) : undefined)
      entries.push({ key, sizeBytes, ...(at === undefined ? {} : { modified: at }) })
    }
  }
  for (const folder of folders) if (enter(folder, entries)) await walk(connection, folder, entries, options)
}

function always(): boolean {
  return true
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
