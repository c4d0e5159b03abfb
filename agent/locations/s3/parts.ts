import { KIB, MIB } from '../../core/units.ts'

export const FIRST_PART_BYTES = 6 * MIB
const PARTS_PER_SIZE = 1000
const SMALLEST_ALLOCATION = 64 * KIB

export interface Part {
  /** From 1. */
  readonly number: number
  readonly bytes: Buffer<ArrayBuffer>
  readonly last: boolean
}

/**
 * 6 MiB, doubled after every 1,000 parts: the 10,000 parts that S3 allows hold its largest object of 5 TiB, and the
 * first 6 GB, which most backups are, need the least memory.
 */
export function partBytes(number: number): number {
  return FIRST_PART_BYTES * 2 ** Math.floor((number - 1) / PARTS_PER_SIZE)
}

/** Memory of parts that have been sent, used again for the next ones. */
export class PartMemory {
  readonly #free: Buffer<ArrayBuffer>[] = []

  take(bytes: number): Buffer<ArrayBuffer> {
    const found = this.#free.pop()
    return found?.length === bytes ? found : Buffer.allocUnsafeSlow(bytes)
  }

  giveBack(part: Part): void {
    this.#free.push(Buffer.from(part.bytes.buffer))
  }
}

/** Cuts a body into parts. There is always one, which is empty when the body is. */
export async function* cutIntoParts(body: AsyncIterable<Uint8Array>, memory: PartMemory): AsyncGenerator<Part> {
  let number = 1
  // A manifest of a few hundred bytes must not cost a whole part: the first one grows.
  let buffer = Buffer.allocUnsafeSlow(SMALLEST_ALLOCATION)
  let filled = 0
  for await (const chunk of body) {
    let rest = chunk
    while (rest.length > 0) {
      const size = partBytes(number)
      if (filled === size) {
        yield { number, bytes: buffer, last: false }
        number += 1
        filled = 0
        buffer = memory.take(partBytes(number))
        continue
      }
      if (filled === buffer.length) buffer = grown(buffer, size)
      const taken = Math.min(rest.length, buffer.length - filled)
      buffer.set(rest.subarray(0, taken), filled)
      filled += taken
      rest = rest.subarray(taken)
    }
  }
  yield { number, bytes: buffer.subarray(0, filled), last: true }
}

function grown(buffer: Buffer<ArrayBuffer>, most: number): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafeSlow(Math.min(most, buffer.length * 4))
  buffer.copy(larger)
  return larger
}
