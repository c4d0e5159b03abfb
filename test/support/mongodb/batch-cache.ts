/** The array of a reply, built: its elements and its end, without its length. */
export interface BuiltBatch {
  readonly body: Buffer
  readonly count: number
}

/**
 * Batches of one version of a collection by position and size. Clients that read with one batch size make each of
 * them once; when sizes vary the cache starts over, so it never holds more than its bound and one batch.
 */
export class BatchCache {
  readonly #batches = new Map<string, BuiltBatch>()
  readonly #mostBytes: number
  #bytes = 0

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  get(start: number, wanted: number, build: () => BuiltBatch): BuiltBatch {
    const key = `${start}:${wanted}`
    const known = this.#batches.get(key)
    if (known) return known
    const built = build()
    if (this.#bytes > this.#mostBytes) {
      this.#batches.clear()
      this.#bytes = 0
    }
    this.#batches.set(key, built)
    this.#bytes += built.body.length
    return built
  }
}
