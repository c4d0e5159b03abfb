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

it('agrees with bit by bit arithmetic where runs are made short, and around the ends of its blocks', () => {
  const bytes = Buffer.from(Array.from({ length: 30_000 }, (_, at) => (at * 2654435761) >>> 13))
  const around = [4096, 8192, 8192 + 1504, 2 * 8192 + 1504, 3 * 8192 + 1504]
  for (const end of around) {
    for (const length of [-65, -64, -63, -17, -16, -15, -8, -1, 0, 1, 8, 15, 16, 17, 63, 64, 65].map(
      (by) => end + by,
    )) {
      const crc = new Crc64()
      crc.update(bytes.subarray(0, 3))
      crc.update(bytes.subarray(3, 3 + length))
      expect(crc.digest(), `${length} bytes`).toBe(slowly(bytes.subarray(0, 3 + length)))
    }
  }
})

it('sees every bit of a run that is made short', () => {
  const bytes = new Uint8Array(5000)
  const sums = new Set<bigint>()
  for (let bit = 0; bit < 8 * bytes.length; bit += 1) {
    bytes[bit >> 3] = 1 << (bit & 7)
    const crc = new Crc64()
    crc.update(bytes)
    sums.add(crc.digest())
    bytes[bit >> 3] = 0
  }
  expect(sums.size).toBe(8 * bytes.length)
})

it('takes bytes away by a multiple of the polynomial', () => {
  // Of polynomials over GF(2), bit n of a number is the coefficient of x^n.
  const polynomial = (1n << 64n) | 0x42f0e1eba9ea3693n
  const degree = 8 * 1498
  let rest = [1498, 1393, 1366, 1182, 480, 335, 226].reduce((sum, by) => sum | (1n << BigInt(degree - 8 * by)), 0n)
  rest |= 1n << BigInt(degree)
  for (let bit = degree; bit >= 64; bit -= 1) if ((rest >> BigInt(bit)) & 1n) rest ^= polynomial << BigInt(bit - 64)
  expect(rest).toBe(0n)
})

function slowly(bytes: Uint8Array): bigint {
  let crc = 0xffffffffffffffffn
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1n ? (crc >> 1n) ^ 0xc96c5795d7870f42n : crc >> 1n
  }
  return crc ^ 0xffffffffffffffffn
}
