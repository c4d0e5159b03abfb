import type { Clock } from '../core/clock.ts'
import { SECOND_MS } from '../core/units.ts'
import { around } from './around.ts'
import type { CallOptions, Location } from './location.ts'

export interface ThrottleOptions {
  readonly clock: Clock
  /** For each direction by itself, all transfers of the location together. */
  readonly bytesPerSecond: number
}

// Larger pieces would let a slow line fall silent for as long as it takes to earn one.
const PIECES_PER_SECOND = 8

/**
 * Takes no more bytes in a second from a body than allowed, nor gives more to a reader. What a location collects before
 * it sends, such as the parts of S3, still goes out at once: the rate holds over a part, not within it.
 */
export function throttled(location: Location, options: ThrottleOptions): Location {
  const there = new Bucket(options)
  const back = new Bucket(options)
  return around(location, {
    sending: (body, call) => there.pass(body, call),
    receiving: (body, call) => back.pass(body, call),
  })
}

/** A token bucket that holds what a moment earns. */
class Bucket {
  readonly #clock: Clock
  readonly #bytesPerSecond: number
  readonly #pieceBytes: number
  /** When everything that was let through will have been earned. */
  #earnedMs = Number.NEGATIVE_INFINITY

  constructor({ clock, bytesPerSecond }: ThrottleOptions) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
    this.#pieceBytes = Math.ceil(bytesPerSecond / PIECES_PER_SECOND)
  }

  async *pass(body: AsyncIterable<Uint8Array>, { signal }: CallOptions): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; at += this.#pieceBytes) {
        const piece = chunk.subarray(at, at + this.#pieceBytes)
        await this.#earn(piece.length, signal)
        yield piece
      }
    }
  }

  async #earn(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.monotonicMs()
    const startMs = Math.max(now, this.#earnedMs)
    this.#earnedMs = startMs + (bytes * SECOND_MS) / this.#bytesPerSecond
    if (startMs > now) await this.#clock.sleep(startMs - now, { signal })
  }
}
