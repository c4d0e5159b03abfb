import { randomBytes } from 'node:crypto'

/** One stored object. `modified` is what the server says, to its own resolution, and may be absent. */
export interface Entry {
  readonly key: string
  readonly sizeBytes: number
  readonly modified?: Date
}

/**
 * What an unfinished put leaves behind if the process dies now: enough to remove exactly that, by another process.
 * `handle` is the location's own: an S3 upload id, the temporary name on FTP or a filesystem.
 */
export interface Leftover {
  readonly key: string
  readonly handle: string
}

export interface CallOptions {
  readonly signal: AbortSignal
}

export interface PutOptions extends CallOptions {
  /**
   * Called, and awaited, before the first byte goes out that only `discard` could remove;
   * small objects that are written in one atomic request do not call it.
   */
  readonly onLeftover?: (leftover: Leftover) => Promise<void>
}

export interface ListOptions extends CallOptions {
  /**
   * Only the objects that lie in the folder itself are wanted. Deeper ones may be missing then: where each folder takes a
   * request of its own, ten thousand of them are not entered to find the few names beside them.
   */
  readonly shallow?: boolean
  /**
   * Asked of each folder below, once the objects beside it are known: where the answer is no, what lies in it is not
   * wanted, and may be missing as with `shallow`. `folder` ends in `/`.
   */
  readonly enter?: (folder: string, beside: readonly Entry[]) => boolean
  /**
   * What unfinished puts wrote to, by the key it has until it gets its own, instead of the objects: `discard` takes it as
   * a handle. Empty where nothing of the kind can be listed, as on S3.
   */
  readonly temporaries?: boolean
}

export interface DiscardOptions extends CallOptions {
  /**
   * Reject also where the server took the request, and does not let us see what came of it. Otherwise its word is taken:
   * nobody could ever clean up under an account that lacks that right.
   */
  readonly seen?: boolean
}

export interface GetOptions extends CallOptions {
  /** First byte wanted, default 0. An offset at or behind the end yields nothing. */
  readonly offset?: number
}

/**
 * A place that keeps objects under keys. Keys are relative to the location's folder, `/`-separated, without leading
 * slash, `.` or `..` parts; anything else is a `Failure` with code `internal` before a byte moves.
 *
 * Every rejection is a `Failure` whose message names the operation, the location, the key and the reason. A location
 * never retries: it says in `retryable` whether that could help. After an abort nothing more is written.
 */
export interface Location {
  /** The name of the `backup_storage_location` in the configuration. */
  readonly name: string

  /**
   * Stores the whole body under the key, or nothing: a reader sees the old object or the new one, never a part.
   * Replaces what was there. A chunk of the body is not looked at any more once the next one is asked for. Memory is bounded whatever the size of the body. A body that throws, or an abort, leaves
   * nothing behind that can be removed at that moment. Resolves once the server has confirmed the size it keeps.
   */
  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<{ sizeBytes: number }>

  /**
   * The stored bytes, in chunks that belong to whoever reads them and may be recycled. The iteration rejects with code
   * `not_found` when there is no such object.
   */
  get(key: string, options: GetOptions): AsyncIterable<Uint8Array>

  /**
   * Every object whose key starts with `prefix` (a folder ending in `/`), in order of keys, below any depth:
   * complete, or rejected; never silently short. A folder that does not exist is empty.
   */
  list(prefix: string, options: ListOptions): Promise<Entry[]>

  /** Removes the object and verifies that it is gone. Deleting what is not there succeeds. */
  delete(key: string, options: CallOptions): Promise<void>

  /** The object's entry, or undefined when it is not there. */
  stat(key: string, options: CallOptions): Promise<Entry | undefined>

  /** Removes what an unfinished put of another process left; succeeds when it is gone already. */
  discard(leftover: Leftover, options: DiscardOptions): Promise<void>

  /** What using the server has shown about it so far, as sentences for who validates it. Never rejects. */
  facts?(): readonly string[]

  /** Ends connections. The location must not be used afterwards. */
  close(): Promise<void>
}

/** A body that can be read again from its start, so that a failed put of it may be repeated. */
export interface ReplayableBody extends AsyncIterable<Uint8Array> {
  readonly replayable: true
}

export function replayable(bytes: Uint8Array): ReplayableBody {
  return {
    replayable: true,
    async *[Symbol.asyncIterator]() {
      yield bytes
    },
  }
}

export function isReplayable(body: AsyncIterable<Uint8Array>): body is ReplayableBody {
  return 'replayable' in body && body.replayable === true
}

/** `<key>.<8 hexadecimal digits>.tmp` */
const TEMPORARY = /^(.*)\.[0-9a-f]{8}\.tmp$/s

/**
 * What a put writes to until it is whole, where a server keeps no uploads of its own. A name for one attempt alone: vsftpd
 * lets a second STOR to a name wait, and later empty the file that was whole.
 */
export function temporaryKey(key: string): string {
  return `${key}.${randomBytes(4).toString('hex')}.tmp`
}

/** The key that a put to this name would have stored; undefined where it is no temporary name of ours. */
export function keyOfTemporary(name: string): string | undefined {
  return TEMPORARY.exec(name)?.[1]
}

export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name)
}

/** Where the objects of a validation lie. `prefix` ends in `/`. */
export function probesPrefix(prefix: string): string {
  return `${prefix}.validate/`
}

/** There: `<milliseconds since 1970>-<12 hexadecimal digits>`, and what belongs to it. */
export const PROBE_NAME = /^(\d{13})-[0-9a-f]{12}(\.large|\.leftover)?$/
