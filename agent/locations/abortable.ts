import type { Clock } from '../core/clock.ts'

export interface SilenceOptions {
  readonly clock: Clock
  /** Longest wait for one chunk. The time in which the consumer is busy does not count. */
  readonly limitMs: number
  readonly failure: () => Error
}

/**
 * The same stream, but waiting for its next chunk ends as soon as the signal is aborted, even if the stream never
 * yields again; rejects with the signal's reason. Leaving it early returns the stream without waiting for that.
 */
export async function* abortable(
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  silence?: SilenceOptions,
): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]()
  // A promise per chunk: racing against one that lives as long as the stream would collect a reaction for every chunk.
  let interrupt: (reason: unknown) => void = () => undefined
  const abort = (): void => interrupt(signal.reason)
  const watch = silence && watchSilence(silence, (failure) => interrupt(failure))
  signal.addEventListener('abort', abort, { once: true })
  let ended = false
  try {
    while (true) {
      if (signal.aborted) throw signal.reason
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        interrupt = reject
        watch?.waiting(true)
        iterator.next().then(resolve, reject)
      })
      watch?.waiting(false)
      if (next.done) {
        ended = true
        return
      }
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    watch?.stop()
    // Not awaited: a generator that is stuck inside next() never answers to return().
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
}

export interface SilenceWatch {
  /** From now on the other side is waited for, or no longer. */
  waiting(now: boolean): void
  stop(): void
}

/** Looks in every quarter of the limit, so that a fast stream does not pay for a timer per chunk. */
export function watchSilence(
  { clock, limitMs, failure }: SilenceOptions,
  report: (failure: Error) => void,
): SilenceWatch {
  const ended = new AbortController()
  let sinceMs: number | undefined
  const look = async (): Promise<void> => {
    while (sinceMs === undefined || clock.monotonicMs() - sinceMs < limitMs) {
      await clock.sleep(limitMs / 4, { signal: ended.signal, unref: true })
    }
    report(failure())
  }
  look().catch(() => undefined)
  return {
    waiting(now) {
      sinceMs = now ? clock.monotonicMs() : undefined
    },
    stop: () => ended.abort(),
  }
}
