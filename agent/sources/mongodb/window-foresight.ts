import type { Clock } from '../../core/clock.ts'
import { Failure } from '../../core/errors.ts'
import { formatBytes, formatDuration, SECOND_MS } from '../../core/units.ts'
import { LONGER_WINDOW } from './classify.ts'

/** Before so much of the window has passed the rate of a reading tells little about its end. */
const MEASURED_SHARE = 0.05
/** Sizes are estimates and rates change: a reading is given up only when it would end well behind the window. */
const TOLERANCE = 1.25

export interface Foreseen {
  /** How much history the member keeps, in seconds. */
  readonly historySeconds: number
  /** Of all documents that are to be read, as the server estimates; 0 where it does not say. */
  readonly totalBytes: number
  /** The rate that the reading may have at most, where one is set. */
  readonly limitBytesPerSecond?: number
}

/**
 * Foresees whether a snapshot can be read to its end before the member lets go of it (MongoDB manual, MongoDB Server
 * Parameters, minSnapshotHistoryWindowInSeconds): to be told after hours that it was lost is worth nothing.
 */
export class WindowForesight {
  readonly #foreseen: Foreseen
  readonly #clock: Clock
  readonly #beganMs: number

  /** To be made when the instant has just been chosen: history passes from then on. */
  constructor(foreseen: Foreseen, clock: Clock) {
    this.#foreseen = foreseen
    this.#clock = clock
    this.#beganMs = clock.monotonicMs()
  }

  /** Throws `snapshot_lost`, retryable without a snapshot, once the end is seen to lie behind the window. */
  check(readBytes: number): void {
    const { historySeconds, totalBytes, limitBytesPerSecond: limit } = this.#foreseen
    const elapsed = (this.#clock.monotonicMs() - this.#beganMs) / SECOND_MS
    const measured = elapsed >= historySeconds * MEASURED_SHARE ? readBytes / elapsed : undefined
    const rate = Math.min(measured ?? Number.POSITIVE_INFINITY, limit ?? Number.POSITIVE_INFINITY)
    if (!Number.isFinite(rate)) return
    const left = Math.max(0, totalBytes - readBytes)
    if (left === 0) return
    const whole = rate === 0 ? Number.POSITIVE_INFINITY : elapsed + left / rate
    if (whole > historySeconds * TOLERANCE) throw tooSlow(whole, rate, this.#foreseen, readBytes)
  }
}

function tooSlow(whole: number, rate: number, { historySeconds, totalBytes }: Foreseen, readBytes: number): Failure {
  const takes = Number.isFinite(whole) ? `takes about ${formatDuration(whole * SECOND_MS)}` : 'has no end in sight'
  return new Failure(
    `reading ${formatBytes(totalBytes)} at ${formatBytes(Math.round(rate))} a second ${takes}, ` +
      `and MongoDB keeps what a snapshot needs for ${formatDuration(historySeconds * SECOND_MS)} ` +
      `(seen after ${formatBytes(readBytes)})`,
    { code: 'snapshot_lost', retryable: true, hint: LONGER_WINDOW },
  )
}
