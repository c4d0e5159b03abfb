import { around } from './around.ts'
import type { Location } from './location.ts'

/** Grows with every byte that goes to or comes from a location, and every operation: whoever watches it sees a run get on. */
export class Traffic {
  #moved = 0

  get moved(): number {
    return this.#moved
  }

  /** The same location, counted. */
  count(location: Location): Location {
    return around(location, {
      call: async (_operation, _options, run) => {
        const result = await run()
        this.#moved += 1
        return result
      },
      sending: (body) => this.#through(body),
      receiving: (body) => this.#through(body),
    })
  }

  async *#through(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      this.#moved += chunk.length
      yield chunk
    }
  }
}
