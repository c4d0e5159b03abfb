/** One receiver's end of a fan-out. */
export interface Branch {
  /** The whole source, or its error; to be read once. */
  readonly stream: AsyncIterable<Uint8Array>
  /** The receiver will not read any more: it holds up nobody from now on. Call it however the receiving ended. */
  leave(): void
}

export interface FanOut {
  readonly branches: readonly Branch[]
  /** Moves the bytes; resolves when the source has ended or every receiver has left; never rejects. */
  pump(): Promise<void>
}

/**
 * Gives one stream to several receivers at the pace of the slowest, with at most `bufferBytes` and one chunk waiting
 * for each. When the source fails, every receiver's stream throws that error.
 */
export function fanOut(source: AsyncIterable<Uint8Array>, receivers: number, bufferBytes: number): FanOut {
  const bell = new Bell()
  const queues = Array.from({ length: receivers }, () => new Queue(bell))

  async function pump(): Promise<void> {
    try {
      for await (const chunk of source) {
        for (const queue of queues) queue.push(chunk)
        while (queues.some((queue) => queue.bytes >= bufferBytes)) await bell.rung()
        if (queues.every((queue) => queue.state === 'left')) return
      }
      for (const queue of queues) queue.end()
    } catch (thrown) {
      for (const queue of queues) queue.end({ thrown })
    }
  }

  return { branches: queues.map((queue) => ({ stream: queue.read(), leave: () => queue.leave() })), pump }
}

/** Lets one side wait for the next change of the other. */
class Bell {
  #ring: () => void = () => undefined

  rung(): Promise<void> {
    return new Promise((resolve) => {
      this.#ring = resolve
    })
  }

  ring(): void {
    this.#ring()
  }
}

class Queue {
  bytes = 0
  state: 'open' | 'ended' | 'left' = 'open'
  readonly #chunks: Uint8Array[] = []
  readonly #filled = new Bell()
  readonly #emptied: Bell
  #failure: { readonly thrown: unknown } | undefined

  constructor(emptied: Bell) {
    this.#emptied = emptied
  }

  push(chunk: Uint8Array): void {
    if (this.state !== 'open') return
    this.#chunks.push(chunk)
    this.bytes += chunk.length
    this.#filled.ring()
  }

  end(failure?: { readonly thrown: unknown }): void {
    if (this.state !== 'open') return
    this.state = 'ended'
    this.#failure = failure
    this.#filled.ring()
  }

  leave(): void {
    this.state = 'left'
    this.#chunks.length = 0
    this.bytes = 0
    this.#emptied.ring()
    this.#filled.ring()
  }

  async *read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        // A failed source fails its receivers at once: what is still queued belongs to something that will not be.
        if (this.#failure) throw this.#failure.thrown
        const chunk = this.#chunks.shift()
        if (chunk) {
          this.bytes -= chunk.length
          this.#emptied.ring()
          yield chunk
        } else if (this.state === 'open') {
          await this.#filled.rung()
        } else {
          return
        }
      }
    } finally {
      this.leave()
    }
  }
}
