/** CRC-64/ECMA, reflected. */
const POLYNOMIAL = 0xc96c5795d7870f42n
/** Entries that advance a checksum by eight bytes, and as many that advance it by a stripe. */
const WORD_TABLES = 8 * 256
export const TABLES = 2 * WORD_TABLES
/** Bytes that crc64.wat sums side by side with those before and behind them. */
export const STRIPE_BYTES = 2048

let known: BigUint64Array | undefined

/**
 * Fills the tables that crc64.wat reads, at the start of its memory. `overZeros` advances a checksum by a stripe of
 * zeros; it is called once the tables for words are there.
 */
export function fillTables(tables: BigUint64Array, overZeros: (crc: bigint) => bigint): void {
  if (known) {
    tables.set(known)
    return
  }
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n
    tables[byte] = crc
  }
  // Table n holds the checksums of bytes that n zeros follow.
  for (let at = 256; at < WORD_TABLES; at += 1) {
    const before = tables[at - 256] ?? 0n
    tables[at] = (tables[Number(before & 0xffn)] ?? 0n) ^ (before >> 8n)
  }
  // Advancing is linear: what becomes of a checksum is the sum of what becomes of its bits.
  for (let place = 0; place < 8; place += 1) {
    const table = WORD_TABLES + (7 - place) * 256
    for (let bit = 0; bit < 8; bit += 1) {
      const advanced = BigInt.asUintN(64, overZeros(1n << BigInt(8 * place + bit)))
      for (let byte = 0; byte < 1 << bit; byte += 1)
        tables[table + (1 << bit) + byte] = (tables[table + byte] ?? 0n) ^ advanced
    }
  }
  known = tables.slice()
}
