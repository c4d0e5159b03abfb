import type { Clock } from '../../core/clock.ts'
import { SECOND_MS } from '../../core/units.ts'

/** Keeps reading below a rate by waiting before more is asked for. One for all collections of a run. */
export class Pace {
  readonly #bytesPerSecond: number | undefined
  readonly #clock: Clock
  #freeAtMs = Number.NEGATIVE_INFINITY

  constructor(bytesPerSecond: number | undefined, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond
    this.#clock = clock
  }

  /** Bytes that one answer should have at most, so that the rate holds within each second too. */
  batchBytes(wanted: number): number {
    return this.#bytesPerSecond === undefined ? wanted : Math.min(wanted, Math.ceil(this.#bytesPerSecond / 8))
  }

  /** Resolves when `bytes`, which have just been read, have had their time. Rejects when aborted. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === undefined) return
    const now = this.#clock.monotonicMs()
    this.#freeAtMs = Math.max(this.#freeAtMs, now) + (bytes / this.#bytesPerSecond) * SECOND_MS
    if (this.#freeAtMs > now) await this.#clock.sleep(this.#freeAtMs - now, { signal })
  }
}
