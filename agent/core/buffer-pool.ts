import { MIB } from './units.ts'

/**
 * What content is cut into on its way: a chunk of this size becomes a zstd frame without being copied once more. Half of it
 * packs half a percent worse, twice of it costs memory and gains nothing.
 */
export const CHUNK_BYTES = 2 * MIB

/** Pool by the memory it gave out. */
const poolOf = new WeakMap<ArrayBufferLike, BufferPool>()

/**
 * Memory of one size that goes round. At hundreds of megabytes a second, new memory for every few MiB makes the garbage
 * collector run all the time, and pages of the system are cleared for nothing.
 */
export class BufferPool {
  readonly #bytes: number
  readonly #most: number
  readonly #free: ArrayBuffer[] = []

  /** `bytes`: the size of each; `most`: how many are kept while nobody uses them. */
  constructor(bytes: number, most: number) {
    this.#bytes = bytes
    this.#most = most
  }

  /** Its content is whatever was in it. */
  take(): Buffer {
    const known = this.#free.pop()
    if (known) return Buffer.from(known)
    const fresh = Buffer.allocUnsafeSlow(this.#bytes)
    poolOf.set(fresh.buffer, this)
    return fresh
  }

  /** Takes the memory of something that was taken; twice counts as once. */
  giveBack(memory: ArrayBuffer): void {
    if (this.#free.length < this.#most && !this.#free.includes(memory)) this.#free.push(memory)
  }
}

/**
 * Said by who has used bytes for the last time: if they lie in memory of a pool, all of that memory is used again. Whoever
 * does not say so leaves it to the garbage collector, which is slower and never wrong.
 */
export function recycle({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) poolOf.get(buffer)?.giveBack(buffer)
}
