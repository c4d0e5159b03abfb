import { throwIfAborted } from '../core/errors.ts'

/** The chunks of a body until the signal is aborted: then it rejects at once, even while the body keeps it waiting. */
export async function* abortable(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  doing: string,
): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]()
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  aborted.promise.catch(() => undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  let ended = false
  try {
    for (;;) {
      throwIfAborted(signal, doing)
      const { value, done } = await Promise.race([iterator.next(), aborted.promise])
      throwIfAborted(signal, doing)
      if (done) {
        ended = true
        return
      }
      yield value
    }
  } catch (thrown) {
    throwIfAborted(signal, doing)
    throw thrown
  } finally {
    signal.removeEventListener('abort', onAbort)
    // Not awaited: a body that hangs would hang here as well.
    if (!ended) void iterator.return?.()?.then(undefined, () => undefined)
  }
}
