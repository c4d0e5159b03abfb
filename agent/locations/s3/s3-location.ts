import type { S3LocationConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { Failure, throwIfAborted, toFailure } from '../../core/errors.ts'
import { MINUTE_MS } from '../../core/units.ts'
import { checkKey, checkPrefix, sortEntries } from '../key.ts'
import type {
  CallOptions,
  DiscardOptions,
  Entry,
  GetOptions,
  Leftover,
  ListOptions,
  Location,
  PutOptions,
} from '../location.ts'
import { isReplayable } from '../location.ts'
import type { Retry } from '../retry.ts'
import { abortUpload } from './abort-upload.ts'
import type { Call, ObjectFacts } from './answers.ts'
import { ENCRYPTION_HINT } from './classify.ts'
import { download } from './download.ts'
import type { S3CallsOptions } from './s3-calls.ts'
import { S3Calls } from './s3-calls.ts'
import { upload } from './upload.ts'

/** In a row: where very much was deleted a server may show many. */
export const MOST_EMPTY_PAGES = 1000

export interface S3LocationOptions {
  readonly clock: Clock
  /** How a request is repeated when the put it belongs to cannot be: its part is still at hand. */
  readonly retry: Retry
  /** Give up on a connection on which nothing moved for so long. Default: a minute. */
  readonly silenceMs?: number
  /** The environment: the variables of a proxy are heeded. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Rejects for a configuration that cannot work; makes no connection yet. */
export async function openS3(config: S3LocationConfig, options: S3LocationOptions): Promise<Location> {
  return new S3Location(config, options)
}

/** A folder of an S3 bucket. Single requests and completed multipart uploads are atomic on every S3. */
class S3Location implements Location {
  readonly name: string
  readonly #options: S3LocationOptions & S3CallsOptions
  readonly #calls: S3Calls
  readonly #encryption: S3LocationConfig['serverSideEncryption']
  /** Empty, or ends in `/`. */
  readonly #root: string

  constructor(config: S3LocationConfig, options: S3LocationOptions) {
    this.name = config.name
    this.#options = { silenceMs: MINUTE_MS, env: {}, ...options }
    this.#root = config.folder === '' ? '' : `${config.folder}/`
    this.#encryption = config.serverSideEncryption
    this.#calls = new S3Calls(config, this.#options)
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<{ sizeBytes: number }> {
    checkKey(key)
    const call = this.#call('storing', key, options)
    // A body that can be read again has its retries around the whole put.
    const { clock } = this.#options
    const retry: Retry = isReplayable(body) ? (task) => task(1) : this.#options.retry
    try {
      const onUpload = async (handle: string): Promise<void> => await options.onLeftover?.({ key, handle })
      const { sent, etag } = await upload(this.#calls, this.#root + key, body, call, { clock, retry, onUpload })
      const confirming = { ...call, doing: `${call.doing}: looking at what the server keeps` }
      const kept = await retry(() => this.#calls.headObject(this.#root + key, confirming), call.signal)
      // Another size under another ETag: somebody stored an object of his own after ours had been whole.
      const replaced = kept?.etag !== undefined && etag !== undefined && kept.etag !== etag
      if (kept?.sizeBytes === sent && !replaced) this.#checkEncryption(kept, call)
      if (kept?.sizeBytes === sent || replaced) return { sizeBytes: sent }
      const found = kept ? `has ${kept.sizeBytes} bytes` : 'is not there'
      throw new Failure(`${call.doing}: ${sent} bytes were sent and accepted, but the object ${found}`, {
        code: 'damaged',
        retryable: true,
      })
    } catch (thrown) {
      throwIfAborted(options.signal, call.doing)
      throw toFailure(thrown, call.doing)
    }
  }

  async *get(key: string, { signal, offset = 0 }: GetOptions): AsyncGenerator<Uint8Array> {
    checkKey(key)
    const call = this.#call('reading', key, { signal })
    yield* download(this.#calls, this.#root + key, offset, call, this.#options)
  }

  async list(prefix: string, options: ListOptions): Promise<Entry[]> {
    checkPrefix(prefix)
    // Unfinished uploads are known by their ids alone: Palette's policy does not allow to list them.
    if (options.temporaries) return []
    const call = this.#call('listing', prefix, options)
    const entries: Entry[] = []
    const seen = new Set<string>()
    let empty = 0
    let token: string | undefined
    do {
      const page = await this.#calls.listPage(this.#root + prefix, token, call)
      for (const { key, ...facts } of page.objects) {
        // Consoles make empty objects that end in "/" to show folders.
        if (!key.endsWith('/')) entries.push(entryOf(key.slice(this.#root.length), facts))
      }
      token = page.truncated ? page.next : undefined
      empty = page.objects.length > 0 ? 0 : empty + 1
      if (page.truncated && (token === undefined || seen.has(token) || empty === MOST_EMPTY_PAGES)) {
        throw new Failure(`${call.doing}: the server cut the listing short and does not say where to go on`, {
          code: 'unavailable',
          retryable: true,
        })
      }
      if (token !== undefined) seen.add(token)
    } while (token !== undefined)
    sortEntries(entries)
    const repeated = entries.find(({ key }, index) => key === entries[index + 1]?.key)
    if (repeated === undefined) return entries
    throw new Failure(`${call.doing}: the server listed ${repeated.key} twice`, {
      code: 'unavailable',
      retryable: true,
    })
  }

  async delete(key: string, options: CallOptions): Promise<void> {
    checkKey(key)
    const call = this.#call('deleting', key, options)
    await this.#calls.deleteObject(this.#root + key, call)
    if (!(await this.#isThere(this.#root + key, call))) return
    throw new Failure(`${call.doing}: the server accepted it, but the object is still there`, {
      code: 'unavailable',
      retryable: true,
    })
  }

  async stat(key: string, options: CallOptions): Promise<Entry | undefined> {
    checkKey(key)
    const call = this.#call('looking up', key, options)
    const found = await this.#calls.headObject(this.#root + key, call)
    if (found) return entryOf(key, found)
    // Rejects where it is the bucket that is not there.
    await this.#calls.listPage(this.#root + key, undefined, call, 1)
    return undefined
  }

  async discard({ key, handle }: Leftover, options: DiscardOptions): Promise<void> {
    checkKey(key)
    const call = this.#call('discarding an upload of', key, options)
    await abortUpload(this.#calls, this.#root + key, handle, call, options.seen)
  }

  facts(): readonly string[] {
    return this.#calls.facts()
  }

  async close(): Promise<void> {
    this.#calls.close()
  }

  /** HEAD takes the right to read, and for what is gone that to list as well: where it is refused, a listing tells. */
  async #isThere(key: string, call: Call): Promise<boolean> {
    try {
      return (await this.#calls.headObject(key, call)) !== undefined
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.code !== 'permission') throw thrown
      // A key sorts before all that it is the beginning of.
      const { objects } = await this.#calls.listPage(key, undefined, call, 1)
      return objects[0]?.key === key
    }
  }

  /** Some servers take the header and keep the object in clear. */
  #checkEncryption({ encryption }: ObjectFacts, { doing }: Call): void {
    if (this.#encryption === undefined || encryption === this.#encryption) return
    throw new Failure(`${doing}: the server does not say that it encrypted it with ${this.#encryption}`, {
      code: 'unsupported',
      hint: ENCRYPTION_HINT,
    })
  }

  #call(verb: string, what: string, { signal }: CallOptions): Call {
    const doing = `${verb} ${what || 'everything'} in ${this.name}`
    throwIfAborted(signal, doing)
    return { doing, signal }
  }
}

function entryOf(key: string, { sizeBytes, modified }: ObjectFacts): Entry {
  return { key, sizeBytes, ...(modified === undefined ? {} : { modified }) }
}
