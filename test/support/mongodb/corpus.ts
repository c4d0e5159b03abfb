import fc from 'fast-check'

/**
 * Documents as bytes, made without any library that could be too polite: every type of the BSON specification 1.1, the
 * deprecated ones too, and everything that gets lost when a document becomes an object of a programming language.
 */

export interface Value {
  readonly type: number
  readonly bytes: Buffer
}

export function document(elements: readonly (readonly [name: string | Buffer, value: Value])[]): Buffer {
  const body = elements.map(([name, { type, bytes }]) =>
    Buffer.concat([Buffer.of(type), Buffer.from(name), Buffer.of(0), bytes]),
  )
  const content = Buffer.concat(body)
  return Buffer.concat([int(content.length + 5), content, Buffer.of(0)])
}

export const int32 = (value: number): Value => ({ type: 0x10, bytes: int(value) })
export const text = (value: string | Buffer): Value => ({ type: 0x02, bytes: sized(Buffer.from(value)) })
export const embedded = (bytes: Buffer): Value => ({ type: 0x03, bytes })
export const array = (bytes: Buffer): Value => ({ type: 0x04, bytes })
export const hex = (type: number, bytes: string): Value => ({ type, bytes: Buffer.from(bytes, 'hex') })
export const binary = (subtype: number, bytes: Buffer): Value => ({
  type: 0x05,
  // The old binary has its length once more inside.
  bytes:
    subtype === 2
      ? Buffer.concat([int(bytes.length + 4), Buffer.of(subtype), int(bytes.length), bytes])
      : Buffer.concat([int(bytes.length), Buffer.of(subtype), bytes]),
})
export const codeWithScope = (code: string, scope: Buffer): Value => {
  const inner = Buffer.concat([sized(Buffer.from(code)), scope])
  return { type: 0x0f, bytes: Buffer.concat([int(inner.length + 4), inner]) }
}

/** As many generated documents as asked for, the same for the same seed, each with an `_id` of its own. */
export function generatedDocuments(count: number, seed = 20_261_124): Buffer[] {
  const bodies = fc.sample(fc.array(fc.tuple(anyName(), anyValue()), { maxLength: 8 }), { numRuns: count, seed })
  return bodies.map((body, index) => document([['_id', int32(index)], ...body]))
}

/** Documents of one size with numbers as `_id`, half of each text, half of it bytes that no packing makes smaller. */
export function* sizedDocuments(bytes: number, documentBytes: number): Generator<Buffer> {
  const noise = Buffer.alloc(Math.max(1, Math.floor(documentBytes / 2)))
  for (let at = 0; at < noise.length; at += 1) noise[at] = Math.imul(at + 1, 2_654_435_761) >>> 24
  const room =
    documentBytes -
    document([
      ['_id', int32(0)],
      ['noise', binary(0, noise)],
      ['text', text('')],
    ]).length
  const filler = text('palette '.repeat(Math.ceil(Math.max(0, room) / 8)).slice(0, Math.max(0, room)))
  for (let index = 0; index * documentBytes < bytes; index += 1) {
    yield document([
      ['_id', int32(index)],
      ['noise', binary(0, noise)],
      ['text', filler],
    ])
  }
}

function anyValue(): fc.Arbitrary<Value> {
  const bytesOf = (type: number, length: number): fc.Arbitrary<Value> =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ type, bytes: Buffer.from(bytes) }))
  const string = fc.string({ unit: 'binary', maxLength: 40 })
  const word = fc.string({ unit: 'grapheme-ascii', maxLength: 12 })
  const scalar = fc.oneof(
    bytesOf(0x01, 8),
    fc
      .constantFrom('000000000000f07f', '000000000000f0ff', '010000000000f8ff', '0000000000000080')
      .map((bits) => hex(0x01, bits)),
    string.map((value) => text(value)),
    fc
      .tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 8, 9, 0x80, 0xff), fc.uint8Array({ minLength: 16, maxLength: 16 }))
      .map(([subtype, bytes]) => binary(subtype, Buffer.from(bytes))),
    fc.constant(hex(0x06, '')),
    bytesOf(0x07, 12),
    fc.constantFrom('00', '01').map((bit) => hex(0x08, bit)),
    bytesOf(0x09, 8),
    fc.constant(hex(0x0a, '')),
    fc.tuple(word, fc.constantFrom('', 'i', 'imsx')).map(([pattern, flags]) => cStrings(0x0b, pattern, flags)),
    fc.tuple(word, bytesOf(0x07, 12)).map(([namespace, id]) => ({
      type: 0x0c,
      bytes: Buffer.concat([sized(Buffer.from(namespace)), id.bytes]),
    })),
    word.map((code) => ({ ...text(code), type: 0x0d })),
    word.map((symbol) => ({ ...text(symbol), type: 0x0e })),
    bytesOf(0x10, 4),
    bytesOf(0x11, 8),
    bytesOf(0x12, 8),
    bytesOf(0x13, 16),
    fc.constantFrom(hex(0xff, ''), hex(0x7f, '')),
  )
  return fc.letrec<{ value: Value; body: Buffer }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: false },
      { weight: 8, arbitrary: scalar },
      { weight: 1, arbitrary: tie('body').map(embedded) },
      {
        weight: 1,
        arbitrary: fc
          .array(tie('value'), { maxLength: 5 })
          .map((values) => array(document(values.map((value, index) => [String(index), value] as const)))),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(word, tie('body')).map(([code, scope]) => codeWithScope(code, scope)),
      },
    ),
    body: fc.array(fc.tuple(anyName(), tie('value')), { maxLength: 5 }).map(document),
  })).value
}

/** Names without a zero byte; the second half of the list cannot all live in one object. */
function anyName(): fc.Arbitrary<string> {
  const odd = [
    '',
    '__proto__',
    'constructor',
    '0',
    '10',
    '2',
    '01',
    '$ref',
    '$where',
    'a.b',
    ' ',
    'é',
    '日本',
    '_bsontype',
    'toBSON',
  ]
  return fc.oneof(
    fc.constantFrom(...odd),
    fc.string({ maxLength: 10 }).map((name) => name.replaceAll('\0', '')),
  )
}

function cStrings(type: number, ...parts: readonly string[]): Value {
  return { type, bytes: Buffer.from(parts.map((part) => `${part.replaceAll('\0', '')}\0`).join('')) }
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([int(bytes.length + 1), bytes, Buffer.of(0)])
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}
