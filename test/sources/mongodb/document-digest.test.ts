import fc from 'fast-check'
import { BSON } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { DocumentDigest } from '../../../agent/sources/mongodb/archive/document-digest.ts'

const MASK = (1n << 64n) - 1n
/** SipHash-2-4, which has published test vectors. */
const PUBLISHED = { each: 2, last: 4 }

describe('the digest of documents', () => {
  it('compares itself with a plain SipHash that has the published test vectors', () => {
    // vectors.h of the reference implementation, key 00 01 .. 0f, messages of 0, 1 and 2 bytes.
    expect(hash(Buffer.of(), PUBLISHED).toString('hex')).toBe('a3817f04ba25a8e66df67214c7550293')
    expect(hash(Buffer.of(0), PUBLISHED).toString('hex')).toBe('da87c1d86b99af44347659119b22fc45')
    expect(hash(Buffer.of(0, 1), PUBLISHED).toString('hex')).toBe('8177228da4a45dc7fca38bdef60affe4')
    // openssl mac, c-rounds 1, d-rounds 3.
    expect(hash(Buffer.of()).toString('hex')).toBe('e77ebcb22788a5befd62db6add303001')
    expect(hash(Buffer.of(0)).toString('hex')).toBe('fc6f370460d3eda85e0573cc2b2ff063')
  })

  it('is the SipHash of a single document, as openssl prints it', () => {
    expect(digestOf([Buffer.from('0500000000', 'hex')])).toBe('sip128:48480979b97d39050a3e55d3d8d9de2b')
    expect(digestOf([Buffer.from('0b00000010616263000100', 'hex')])).toBe('sip128:96516f631ead8c89d5bb7d3cb0527397')
  })

  it('is the sum of the hashes, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(anyDocument(), { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 60 })),
        (documents, cuts) => {
          const expected = sum(documents)
          expect(digestOf(documents)).toBe(expected)
          const cut = new DocumentDigest()
          const bytes = Buffer.concat(documents)
          for (let start = 0; start < bytes.length; ) {
            const length = cuts.next().value ?? 1
            cut.update(bytes.subarray(start, start + length))
            start += length
          }
          expect(cut.digest()).toBe(expected)
        },
      ),
    )
  })

  it('hashes documents larger than its window', () => {
    const document = sized(2_500_003)
    expect(digestOf([sized(5), document, sized(6)])).toBe(sum([sized(5), document, sized(6)]))
  })

  it('does not depend on the order, and sees a document lost, doubled or changed', () => {
    const documents = Array.from({ length: 50 }, (_, _id) => Buffer.from(BSON.serialize({ _id, text: `text ${_id}` })))
    const digest = digestOf(documents)
    expect(digestOf(documents.toReversed())).toBe(digest)
    expect(digestOf(documents.slice(1))).not.toBe(digest)
    expect(digestOf([...documents, ...documents.slice(0, 2)])).not.toBe(digest)
    expect(digestOf([Buffer.from(BSON.serialize({ _id: 0, text: 'text 1' })), ...documents.slice(1)])).not.toBe(digest)
  })

  it('keeps two collections apart that are read at the same time', () => {
    const [a, b] = [sized(777), sized(1001)]
    const [first, second] = [new DocumentDigest(), new DocumentDigest()]
    first.update(a.subarray(0, 300))
    second.update(b.subarray(0, 3))
    first.update(a.subarray(300))
    second.update(b.subarray(3))
    expect([first.digest(), second.digest()]).toEqual([sum([a]), sum([b])])
  })

  it('never goes on for ever on what is no document', () => {
    expect(() => digestOf([Buffer.alloc(64)])).toThrow()
  })
})

function digestOf(documents: readonly Uint8Array[]): string {
  const digest = new DocumentDigest()
  digest.update(Buffer.concat(documents))
  return digest.digest()
}

function anyDocument(): fc.Arbitrary<Buffer> {
  return fc.uint8Array({ maxLength: 100 }).map((content) => sized(content.length + 5, content))
}

/** What looks like a document to the digest: its length, then anything. */
function sized(length: number, content: Uint8Array = new Uint8Array(length - 5).fill(length % 251)): Buffer {
  const document = Buffer.alloc(length)
  document.writeInt32LE(length)
  document.set(content, 4)
  return document
}

function sum(documents: readonly Uint8Array[]): string {
  let total = 0n
  for (const document of documents) {
    const bytes = hash(document)
    total += bytes.readBigUInt64LE(0) | (bytes.readBigUInt64LE(8) << 64n)
  }
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64LE(total & MASK, 0)
  bytes.writeBigUInt64LE((total >> 64n) & MASK, 8)
  return `sip128:${bytes.toString('hex')}`
}

interface Rounds {
  readonly each: number
  readonly last: number
}

/** SipHash with 128 bits of output, in plain arithmetic. */
function hash(message: Uint8Array, { each, last }: Rounds = { each: 1, last: 3 }): Buffer {
  const [k0, k1] = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n]
  let [v0, v1] = [k0 ^ 0x736f6d6570736575n, k1 ^ 0x646f72616e646f6dn ^ 0xeen]
  let [v2, v3] = [k0 ^ 0x6c7967656e657261n, k1 ^ 0x7465646279746573n]
  const rounds = (count: number): void => {
    for (let round = 0; round < count; round += 1) {
      v0 = (v0 + v1) & MASK
      v2 = (v2 + v3) & MASK
      v1 = rotated(v1, 13n) ^ v0
      v3 = rotated(v3, 16n) ^ v2
      v0 = (rotated(v0, 32n) + v3) & MASK
      v2 = (v2 + v1) & MASK
      v3 = rotated(v3, 21n) ^ v0
      v1 = rotated(v1, 17n) ^ v2
      v2 = rotated(v2, 32n)
    }
  }
  const padded = Buffer.alloc((Math.floor(message.length / 8) + 1) * 8)
  padded.set(message)
  padded[padded.length - 1] = message.length & 0xff
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at)
    v3 ^= word
    rounds(each)
    v0 ^= word
  }
  const out = Buffer.alloc(16)
  v2 ^= 0xeen
  rounds(last)
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 0)
  v1 ^= 0xddn
  rounds(last)
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 8)
  return out
}

function rotated(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK
}
