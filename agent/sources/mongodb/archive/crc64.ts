import { inMemory } from './document-memory.ts'

const ALL_ONES = 0xffffffffffffffffn

/**
 * CRC-64/ECMA as the mongodump archive format uses it: polynomial 0x42F0E1EBA9EA3693 reflected, start and end
 * inverted (catalogued as CRC-64/XZ; check value of "123456789": 995dc9bbdf1939fa).
 *
 * BigInt arithmetic does about 20 MB/s and 32-bit halves a few hundred, so the loop is WebAssembly: crc64.wat.
 */
export class Crc64 {
  #state = ALL_ONES

  update(bytes: Uint8Array): void {
    inMemory(bytes, (memory, part) => {
      this.#state = memory.crc64(this.#state, part)
    })
  }

  /** The checksum so far, as the unsigned 64-bit number. */
  digest(): bigint {
    return BigInt.asUintN(64, this.#state ^ ALL_ONES)
  }
}

/** 16 hexadecimal digits. */
export function formatCrc64(crc: bigint): string {
  return crc.toString(16).padStart(16, '0')
}
