import type { CompletedPart } from '@aws-sdk/client-s3'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import { MIB, SECOND_MS } from '../../core/units.ts'
import { abortable } from '../abortable.ts'
import type { Leftover } from '../location.ts'
import type { Retry } from '../retry.ts'
import { abortUpload } from './abort-upload.ts'
import type { Call } from './answers.ts'
import { isNoSuchUpload } from './answers.ts'
import type { Part } from './parts.ts'
import { cutIntoParts, PartMemory } from './parts.ts'
import type { S3Calls } from './s3-calls.ts'

// Memory: so many parts on their way and one that is being filled. Large parts only come behind 44 GB.
const PARTS_IN_FLIGHT = 2
const LARGE_PART_BYTES = 32 * MIB
const CLEAN_UP_MS = 10 * SECOND_MS

export interface UploadOptions {
  readonly clock: Clock
  /** How a request whose body is at hand is repeated. */
  readonly retry: Retry
  readonly onUpload: (uploadId: string) => Promise<void>
}

export interface Uploaded {
  readonly sent: number
  /** Some servers give none for a multipart upload. */
  readonly etag: string | undefined
}

/**
 * Sends a body of any size under a key of the bucket and resolves with what was sent. One request where it
 * fits one part; else a multipart upload, which is aborted on every way out but success.
 */
export async function upload(
  calls: S3Calls,
  key: string,
  body: AsyncIterable<Uint8Array>,
  call: Call,
  options: UploadOptions,
): Promise<Uploaded> {
  const stop = new AbortController()
  const signal = AbortSignal.any([call.signal, stop.signal])
  const memory = new PartMemory()
  const parts = cutIntoParts(abortable(body, signal), memory)
  try {
    const { value: first } = await parts.next()
    if (!first || first.last) {
      const bytes = first?.bytes ?? Buffer.alloc(0)
      const etag = await options.retry(() => calls.putObject(key, bytes, call), call.signal)
      return { sent: bytes.length, etag }
    }
    const uploadId = await options.retry(() => createUpload(calls, key, call, options.clock), call.signal)
    const sending = new Sending(calls, { key, handle: uploadId }, { ...call, signal }, options.retry, (part, failed) =>
      failed === undefined ? memory.giveBack(part) : stop.abort(failed.thrown),
    )
    try {
      call.signal.throwIfAborted()
      await options.onUpload(uploadId)
      await sending.send(first)
      for await (const part of parts) await sending.send(part)
      return await sending.complete()
    } catch (thrown) {
      stop.abort(thrown)
      await sending.settled()
      await abandon(calls, key, uploadId, call, options.clock)
      throw thrown
    }
  } finally {
    await parts.return(undefined)
  }
}

/**
 * Not cut by an abort: the server may have made the upload, and without its id nobody could ever remove it, because
 * Palette's policy does not allow to list uploads.
 */
async function createUpload(calls: S3Calls, key: string, call: Call, clock: Clock): Promise<string> {
  throwIfAborted(call.signal, call.doing)
  const ended = new AbortController()
  const given = new AbortController()
  const giveUp = (): void => {
    clock.sleep(CLEAN_UP_MS, { signal: ended.signal }).then(
      () => given.abort(call.signal.reason),
      () => undefined,
    )
  }
  call.signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await calls.createUpload(key, { ...call, signal: given.signal })
  } finally {
    call.signal.removeEventListener('abort', giveUp)
    ended.abort()
  }
}

/** What made the upload fail is what is to be told, so this never rejects; the upload's id is with the caller. */
async function abandon(calls: S3Calls, key: string, uploadId: string, { doing }: Call, clock: Clock): Promise<void> {
  const late = (): Failure => new Failure(`${doing}: no answer in time`, { code: 'unreachable' })
  const { signal } = new AbortController()
  await withTimeout(clock, CLEAN_UP_MS, signal, late, (limited) =>
    abortUpload(calls, key, uploadId, { doing, signal: limited }),
  ).catch(() => undefined)
}

class Sending {
  readonly #calls: S3Calls
  readonly #upload: Leftover
  readonly #call: Call
  readonly #retry: Retry
  readonly #onSettled: (part: Part, failed?: { readonly thrown: unknown }) => void
  readonly #inFlight = new Set<Promise<void>>()
  readonly #done: CompletedPart[] = []
  #bytes = 0

  constructor(
    calls: S3Calls,
    upload: Leftover,
    call: Call,
    retry: Retry,
    onSettled: (part: Part, failed?: { readonly thrown: unknown }) => void,
  ) {
    this.#calls = calls
    this.#upload = upload
    this.#call = call
    this.#retry = retry
    this.#onSettled = onSettled
  }

  /** Resolves as soon as there is room for another part. */
  async send(part: Part): Promise<void> {
    const limit = part.bytes.length > LARGE_PART_BYTES ? 1 : PARTS_IN_FLIGHT
    while (this.#inFlight.size >= limit) await Promise.race(this.#inFlight)
    this.#call.signal.throwIfAborted()
    this.#bytes += part.bytes.length
    const sent = this.#transfer(part).finally(() => this.#inFlight.delete(sent))
    this.#inFlight.add(sent)
  }

  async complete(): Promise<Uploaded> {
    await Promise.all(this.#inFlight)
    this.#call.signal.throwIfAborted()
    const parts = this.#done.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0))
    const { key, handle } = this.#upload
    const etag = await this.#retry(async (attempt) => {
      try {
        return await this.#calls.completeUpload(key, handle, parts, this.#call)
      } catch (thrown) {
        // The answer to an earlier try was lost on its way: the upload is gone because it was completed.
        if (attempt > 1 && isNoSuchUpload(thrown)) return undefined
        throw thrown
      }
    }, this.#call.signal)
    return { sent: this.#bytes, etag }
  }

  /** Nothing is on its way any more: a part that arrived behind the abort of its upload would stay for ever. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#inFlight)
  }

  /** Never rejects: a failure is passed on, and ends everything through the signal. */
  async #transfer(part: Part): Promise<void> {
    const { key, handle } = this.#upload
    try {
      const send = (): Promise<CompletedPart> =>
        this.#calls.uploadPart(key, handle, part.number, part.bytes, this.#call)
      this.#done.push(await this.#retry(send, this.#call.signal))
      this.#onSettled(part)
    } catch (thrown) {
      this.#onSettled(part, { thrown })
    }
  }
}
