import { around } from './around.ts'
import type { CallOptions, Location } from './location.ts'

/**
 * No more than so many operations at once; the others wait in order, and stop waiting when they are aborted. A download
 * counts from its first byte being asked for until it ends or is left.
 */
export function bounded(location: Location, limit: number): Location {
  const places = new Places(limit)
  return around(location, {
    async call(_operation, { signal }, run) {
      const leave = await places.enter(signal)
      try {
        return await run()
      } finally {
        leave()
      }
    },
    async *receiving(body: AsyncIterable<Uint8Array>, { signal }: CallOptions) {
      const leave = await places.enter(signal)
      try {
        yield* body
      } finally {
        leave()
      }
    },
  })
}

class Places {
  readonly #waiting = new Set<() => void>()
  #free: number

  constructor(limit: number) {
    this.#free = limit
  }

  /** Resolves with what gives the place back. An abort is left to the operation, which says what was cancelled. */
  async enter(signal: AbortSignal): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1
    else if (!(await this.#turn(signal))) return () => undefined
    return () => this.#leave()
  }

  #turn(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(false)
      const abort = (): void => {
        this.#waiting.delete(take)
        resolve(false)
      }
      const take = (): void => {
        signal.removeEventListener('abort', abort)
        resolve(true)
      }
      this.#waiting.add(take)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  /** The place goes from hand to hand: nobody who comes now can overtake who waits. */
  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#free += 1
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}
