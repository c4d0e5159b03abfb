import { setTimeout as delay } from 'node:timers/promises'

/** The only door to time. Instants are `Date`s in UTC, durations are milliseconds. */
export interface Clock {
  now(): Date
  /** Milliseconds that only ever grow, for durations. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects with an AbortError as soon as the signal is aborted. */
  sleep(ms: number, options?: SleepOptions): Promise<void>
}

export interface SleepOptions {
  readonly signal?: AbortSignal
  /** Do not keep the process alive for this wait. */
  readonly unref?: boolean
}

// setTimeout overflows above 2^31-1 ms and then fires at once; long waits are cut into days.
const LONGEST_TIMER_MS = 24 * 60 * 60 * 1000

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  async sleep(ms, options = {}) {
    const timerOptions = { ref: !options.unref, ...(options.signal ? { signal: options.signal } : {}) }
    for (let left = ms; left > 0; left -= LONGEST_TIMER_MS) {
      await delay(Math.min(left, LONGEST_TIMER_MS), undefined, timerOptions)
    }
  },
}

/** Clocks of two machines differ by so much, and nobody minds. */
const TOLERANCE_MS = 5 * 60 * 1000

/** Whether a time has not come yet, by more than clocks differ: the clock that gave it was wrong, or this one is. */
export function isAhead(time: Date, now: Date): boolean {
  return time.getTime() - now.getTime() > TOLERANCE_MS
}

/** Runs `task` with a signal that is also aborted after `ms`; the timer never outlives the task. */
export async function withTimeout<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  timedOut: () => Error,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ended = new AbortController()
  const expired = new AbortController()
  clock.sleep(ms, { signal: ended.signal }).then(
    () => expired.abort(timedOut()),
    () => undefined,
  )
  try {
    return await task(AbortSignal.any([signal, expired.signal]))
  } catch (thrown) {
    throw expired.signal.aborted && !signal.aborted ? expired.signal.reason : thrown
  } finally {
    ended.abort()
  }
}
