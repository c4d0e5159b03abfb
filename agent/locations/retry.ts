import type { Clock } from '../core/clock.ts'
import { Failure } from '../core/errors.ts'
import { SECOND_MS } from '../core/units.ts'

export interface RetryOptions {
  readonly clock: Clock
  /** Tries in all. Default: 4. */
  readonly attempts?: number
  /** The longest wait before the second try; doubles from try to try. Default: 500. */
  readonly baseMs?: number
  /** The longest wait of all. Default: 15 s. */
  readonly maxMs?: number
  /** In [0, 1). Default: `Math.random`. */
  readonly random?: () => number
}

/** Runs a task again while it rejects with a retryable Failure. The task is told which try it is, from 1. */
export type Retry = <T>(task: (attempt: number) => Promise<T>, signal: AbortSignal) => Promise<T>

/** Exponential backoff, of which a random half is waited off; never after an abort. */
export function createRetry(options: RetryOptions): Retry {
  const { clock, attempts = 4, baseMs = 500, maxMs = 15 * SECOND_MS, random = Math.random } = options
  return async (task, signal) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await task(attempt)
      } catch (thrown) {
        const again = thrown instanceof Failure && thrown.retryable && attempt < attempts && !signal.aborted
        if (!again) throw thrown
        const longestMs = Math.min(maxMs, baseMs * 2 ** (attempt - 1))
        // Not from zero: a server that starts again needs the time, however lucky the draw.
        const waited = clock.sleep((longestMs * (1 + random())) / 2, { signal })
        // Woken by the abort: the failure that was met says more than "cancelled" would.
        await waited.catch(() => {
          throw thrown
        })
      }
    }
  }
}
