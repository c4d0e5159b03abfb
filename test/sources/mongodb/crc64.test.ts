import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Crc64, formatCrc64 } from '../../../agent/sources/mongodb/archive/crc64.ts'

it('has the catalogued check value', () => {
  const crc = new Crc64()
  crc.update(Buffer.from('123456789'))
  expect(formatCrc64(crc.digest())).toBe('995dc9bbdf1939fa')
})

it('does not depend on how the bytes are cut, and agrees with bit by bit arithmetic', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 300 }), (bytes, cut) => {
      const whole = new Crc64()
      whole.update(bytes)
      const parts = new Crc64()
      parts.update(bytes.subarray(0, cut))
      parts.update(bytes.subarray(cut))
      expect(parts.digest()).toBe(whole.digest())
      expect(whole.digest()).toBe(slowly(bytes))
    }),
  )
})

it('agrees with bit by bit arithmetic where stripes are summed side by side, and around their ends', () => {
  const bytes = Buffer.from(Array.from({ length: 3 * 3 * 2048 + 20 }, (_, at) => (at * 2654435761) >>> 13))
  for (const length of [6143, 6144, 6145, 6152, 12_287, 12_288, 12_300, bytes.length]) {
    const crc = new Crc64()
    crc.update(bytes.subarray(0, length))
    expect(crc.digest(), `${length} bytes`).toBe(slowly(bytes.subarray(0, length)))
  }
})

function slowly(bytes: Uint8Array): bigint {
  let crc = 0xffffffffffffffffn
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1n ? (crc >> 1n) ^ 0xc96c5795d7870f42n : crc >> 1n
  }
  return crc ^ 0xffffffffffffffffn
}
