/** CRC-64/ECMA, reflected. */
const POLYNOMIAL = 0xc96c5795d7870f42n
/** Entries that advance a checksum by eight bytes. */
export const TABLES = 8 * 256

let known: BigUint64Array | undefined

/** Fills the tables that crc64.wat reads, at the start of its memory. */
export function fillTables(tables: BigUint64Array): void {
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
  for (let at = 256; at < TABLES; at += 1) {
    const before = tables[at - 256] ?? 0n
    tables[at] = (tables[Number(before & 0xffn)] ?? 0n) ^ (before >> 8n)
  }
  known = tables.slice()
}
