import { createHash } from 'node:crypto'
import { recycle } from '../core/buffer-pool.ts'

export interface Measured {
  readonly bytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

/** Passes a stream on unchanged and knows its size and SHA-256 once it has ended. */
export class Measure {
  readonly #hash = createHash('sha256')
  #bytes = 0
  #result: Measured | undefined

  async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#hash.update(chunk)
      this.#bytes += chunk.length
      yield chunk
    }
    this.#result = { bytes: this.#bytes, sha256: this.#hash.digest('hex') }
  }

  /** Throws while the stream has not ended: half a sum must never be taken for a sum. */
  result(): Measured {
    if (!this.#result) throw new Error('measured before the stream had ended')
    return this.#result
  }
}

/** Passes a stream on unchanged and knows its size once it has ended. */
export class ByteCount {
  #bytes = 0
  #ended = false

  async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#bytes += chunk.length
      yield chunk
    }
    this.#ended = true
  }

  /** Throws while the stream has not ended. */
  result(): { readonly bytes: number } {
    if (!this.#ended) throw new Error('counted before the stream had ended')
    return { bytes: this.#bytes }
  }
}

/** Reads a stream to its end and keeps nothing but its measure; nobody else may need its chunks. */
export async function measure(source: AsyncIterable<Uint8Array>): Promise<Measured> {
  const gauge = new Measure()
  for await (const chunk of gauge.through(source)) recycle(chunk)
  return gauge.result()
}
