/**
 * CRC-64/ECMA as the mongodump archive format uses it: polynomial 0x42F0E1EBA9EA3693 reflected, start and end
 * inverted (catalogued as CRC-64/XZ; check value of "123456789": 995dc9bbdf1939fa).
 *
 * It runs over every byte that is read and restored. BigInt arithmetic does about 20 MB/s and 32-bit halves a few
 * hundred, so the loop is WebAssembly; its text stands in crc64.wat and a test compares the two.
 */
export class Crc64 {
  #state = ALL_ONES

  update(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length; start += WINDOW_BYTES) {
      const part = bytes.subarray(start, start + WINDOW_BYTES)
      window.set(part)
      this.#state = engine.update(this.#state, part.length)
    }
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

export const CRC64_WASM_BASE64 =
  'AGFzbQEAAAABBwFgAn5/AX4DAgEABQMBABEHEwIGbWVtb3J5AgAGdXBkYXRlAAAKgAIB/QECAn8BfkGAgAEhAkGAgAEgAUF4cWohAwJAA0AgAi' +
  'ADTw0BIAAgAikDAIUhBCAEp0H/AXFBA3QpA4BwIARCCIinQf8BcUEDdCkDgGCFIARCEIinQf8BcUEDdCkDgFAgBEIYiKdB/wFxQQN0KQOAQIWF' +
  'IARCIIinQf8BcUEDdCkDgDAgBEIoiKdB/wFxQQN0KQOAIIUgBEIwiKdB/wFxQQN0KQOAECAEQjiIp0EDdCkDAIWFhSEAIAJBCGohAgwACwtBgI' +
  'ABIAFqIQMCQANAIAIgA08NASAApyACLQAAc0H/AXFBA3QpAwAgAEIIiIUhACACQQFqIQIMAAsLIAAL'

const ALL_ONES = 0xffffffffffffffffn
const POLYNOMIAL = 0xc96c5795d7870f42n
const TABLE_BYTES = 16 * 1024
const WINDOW_BYTES = 1024 * 1024

// The type library of WebAssembly comes with that of browsers, which nothing here should see.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Engine {
  readonly memory: { readonly buffer: ArrayBuffer }
  update(state: bigint, length: number): bigint
}

const engine = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(CRC64_WASM_BASE64, 'base64')))
  .exports as Engine
const window = new Uint8Array(engine.memory.buffer, TABLE_BYTES, WINDOW_BYTES)
fillTables(new BigUint64Array(engine.memory.buffer, 0, 8 * 256))

function fillTables(tables: BigUint64Array): void {
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n
    tables[byte] = crc
  }
  for (let table = 1; table < 8; table += 1) {
    for (let byte = 0; byte < 256; byte += 1) {
      const before = tables[(table - 1) * 256 + byte] ?? 0n
      tables[table * 256 + byte] = (tables[Number(before & 0xffn)] ?? 0n) ^ (before >> 8n)
    }
  }
}
