import type { Clock } from '../../core/clock.ts'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import { received } from '../received.ts'
import type { Retry } from '../retry.ts'
import type { Call, Download } from './answers.ts'
import type { S3Calls } from './s3-calls.ts'

export interface DownloadOptions {
  readonly clock: Clock
  readonly retry: Retry
  /** Give up on a connection that gives no byte for so long. */
  readonly silenceMs: number
}

/**
 * The bytes of an object from an offset on: all of them, or a rejection. Where the connection breaks behind the first
 * byte it goes on at the next one, as long as each connection brings something and the object is still the same.
 */
export async function* download(
  calls: S3Calls,
  key: string,
  offset: number,
  call: Call,
  options: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  let at = offset
  let current = await calls.getObject(key, { offset }, call)
  const etag = current?.etag
  while (current) {
    const start = at
    try {
      for await (const chunk of bytesOf(current, call, options)) {
        at += chunk.length
        yield chunk
      }
      return
    } catch (thrown) {
      throwIfAborted(call.signal, call.doing)
      const failure = calls.failureOf(thrown, call.doing, 's3:GetObject')
      if (!failure.retryable || at === start || etag === undefined) throw failure
    } finally {
      current.body.destroy()
    }
    current = await options.retry(() => calls.getObject(key, { offset: at, etag }, call), call.signal)
  }
}

async function* bytesOf(
  { body, length }: Download,
  { doing, signal }: Call,
  { clock, silenceMs: limitMs }: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  const broken = (reason: string): Failure =>
    new Failure(`${doing}: ${reason}`, { code: 'unreachable', retryable: true })
  const failure = (): Failure => broken(`no byte for ${limitMs / 1000} seconds`)
  let bytes = 0
  for await (const chunk of received(body, signal, { clock, limitMs, failure })) {
    bytes += chunk.length
    yield chunk
  }
  if (length !== undefined && bytes !== length) throw broken(`it ended after ${bytes} of ${length} bytes`)
}
