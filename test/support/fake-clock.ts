import type { Clock, SleepOptions } from '../../agent/core/clock.ts'

interface Sleeper {
  readonly wakeAt: number
  wake(): void
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #wallMs: number
  #monotonicMs = 0
  readonly #sleepers = new Set<Sleeper>()

  /** @param start ISO 8601 */
  constructor(start = '2026-11-24T00:00:00Z') {
    this.#wallMs = new Date(start).getTime()
  }

  now(): Date {
    return new Date(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** How many sleep at this moment. */
  get sleepers(): number {
    return this.#sleepers.size
  }

  sleep(ms: number, { signal }: SleepOptions = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new DOMException('The operation was aborted', 'AbortError'))
      const sleeper: Sleeper = {
        wakeAt: this.#monotonicMs + Math.max(0, ms),
        wake: () => {
          this.#sleepers.delete(sleeper)
          signal?.removeEventListener('abort', abort)
          resolve()
        },
      }
      const abort = (): void => {
        this.#sleepers.delete(sleeper)
        reject(new DOMException('The operation was aborted', 'AbortError'))
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  /** Lets time pass: wakes one sleeper after the other at its time, and lets each do what it then does. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonicMs + ms
    await settle()
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#pass(next.wakeAt - this.#monotonicMs)
      next.wake()
      await settle()
    }
    this.#pass(end - this.#monotonicMs)
    await settle()
  }

  /** Sets the wall clock forwards or backwards, as an administrator or a resumed machine does; nobody wakes. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  #pass(ms: number): void {
    this.#monotonicMs += ms
    this.#wallMs += ms
  }

  #next(end: number): Sleeper | undefined {
    let first: Sleeper | undefined
    for (const sleeper of this.#sleepers) {
      if (sleeper.wakeAt <= end && (!first || sleeper.wakeAt < first.wakeAt)) first = sleeper
    }
    return first
  }
}

/** Everything that is ready to go on has gone on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
