import { array, binary, codeWithScope, document, embedded, hex, int32, text, type Value } from './corpus.ts'

/** 16 MiB, the most a client may store. MongoDB manual, Limits and Thresholds, "BSON Document Size". */
const LARGEST_DOCUMENT = 16 * 1024 * 1024
/** Of the hundred and eighty levels that servers still take (the manual promises 100 for documents as a client sends them). */
const DEEPEST = 180

/** Documents that each lose something in a program that decodes them; every one has an `_id` of its own, from 1,000,000 on. */
export function trapDocuments(): Buffer[] {
  const traps: readonly (readonly (readonly [string | Buffer, Value])[])[] = [
    // Names.
    [
      ['same', int32(1)],
      ['same', text('two')],
      ['same', int32(3)],
    ],
    [
      ['b', int32(1)],
      ['10', int32(2)],
      ['9', int32(3)],
      ['a', int32(4)],
      ['0', int32(5)],
    ],
    [
      ['__proto__', embedded(document([['polluted', int32(1)]]))],
      ['constructor', int32(1)],
    ],
    [
      ['', int32(1)],
      ['$gt', int32(1)],
      ['a.b', int32(1)],
      ['$', int32(1)],
      ['.', int32(1)],
    ],
    [
      ['n'.repeat(1000), int32(1)],
      ['日本語 🙂', int32(1)],
    ],
    [
      ['length', int32(-1)],
      ['toJSON', text('x')],
      ['_bsontype', text('ObjectId')],
      ['toBSON', int32(0)],
    ],
    // Numbers.
    [
      ['minus zero', hex(1, '0000000000000080')],
      ['zero', hex(1, '0000000000000000')],
      ['int zero', int32(0)],
    ],
    [
      ['nan', hex(1, '000000000000f87f')],
      ['payload', hex(1, 'efbeadde0000f8ff')],
      ['signalling', hex(1, '010000000000f07f')],
    ],
    [
      ['inf', hex(1, '000000000000f07f')],
      ['-inf', hex(1, '000000000000f0ff')],
      ['denormal', hex(1, '0100000000000000')],
    ],
    [
      ['one', hex(1, '000000000000f03f')],
      ['int one', int32(1)],
      ['long one', hex(0x12, '0100000000000000')],
    ],
    [
      ['long max', hex(0x12, 'ffffffffffffff7f')],
      ['long min', hex(0x12, '0000000000000080')],
      ['2^53+1', hex(0x12, '0100000000002000')],
    ],
    [
      ['max', hex(0x13, 'ffffffff638e8d37c087adbe09edff5f')],
      ['smallest', hex(0x13, '01000000000000000000000000000000')],
      ['nan', hex(0x13, '0000000000000000000000000000007c')],
      ['snan', hex(0x13, '0000000000000000000000000000007e')],
      ['-inf', hex(0x13, '000000000000000000000000000000f8')],
      ['-0', hex(0x13, '000000000000000000000000000040b0')],
      ['1.0', hex(0x13, '0a00000000000000000000000000' + '3e30')],
      ['1', hex(0x13, '010000000000000000000000000040' + '30')],
    ],
    // Times.
    [
      ['first', hex(9, '0000000000000080')],
      ['last', hex(9, 'ffffffffffffff7f')],
      ['before', hex(9, 'ffffffffffffffff')],
    ],
    [
      ['zero', hex(0x11, '0000000000000000')],
      ['most', hex(0x11, 'ffffffffffffffff')],
    ],
    // Deprecated, and ends of the order.
    [
      ['undefined', hex(6, '')],
      ['null', hex(0x0a, '')],
      ['min', hex(0xff, '')],
      ['max', hex(0x7f, '')],
    ],
    [
      ['pointer', hex(0x0c, '05000000612e622e00' + '0102030405060708090a0b0c')],
      ['symbol', { ...text('s'), type: 0x0e }],
    ],
    [
      ['code', { ...text('function () {}'), type: 0x0d }],
      [
        'scoped',
        codeWithScope(
          'f',
          document([
            ['x', int32(1)],
            ['x', int32(2)],
          ]),
        ),
      ],
    ],
    [
      ['expression', hex(0x0b, '5e612e2a2400696d737800')],
      ['flags out of order', hex(0x0b, '610078696d00')],
    ],
    // Binaries.
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x80, 0xff].map(
      (subtype) => [`s${subtype}`, binary(subtype, Buffer.alloc(16, subtype))] as const,
    ),
    [
      ['empty', binary(0, Buffer.alloc(0))],
      ['short uuid', binary(4, Buffer.alloc(3))],
    ],
    // Arrays that are none.
    [
      ['gap', array(document([['5', int32(1)]]))],
      [
        'words',
        array(
          document([
            ['a', int32(1)],
            ['b', int32(2)],
          ]),
        ),
      ],
    ],
    [
      [
        'twice',
        array(
          document([
            ['0', int32(1)],
            ['0', int32(2)],
          ]),
        ),
      ],
      ['empty', array(document([]))],
    ],
    [['in', array(document([['0', array(document([['0', array(document([]))]]))]]))]],
    // Texts.
    [
      ['zero', text('a\0b')],
      ['not utf-8', text(Buffer.from([0x66, 0xff, 0xfe, 0xc0, 0x80]))],
      ['surrogate', text(Buffer.from([0xed, 0xa0, 0x80]))],
    ],
    [[Buffer.from([0x6b, 0xff]), int32(1)]],
    [
      ['empty', text('')],
      ['bom', text('\ufeffx')],
      ['composed', text('é')],
      ['decomposed', text('e\u0301')],
    ],
    // Size and depth.
    [['deep', deep(DEEPEST)]],
    [
      [
        'many',
        embedded(
          document(Array.from({ length: 20_000 }, (_, index) => [String(20_000 - index), int32(index)] as const)),
        ),
      ],
    ],
  ]
  const numbered = traps.map((elements, index) => document([['_id', int32(1_000_000 + index)], ...elements]))
  return [...numbered, ...documentsById(), largest()]
}

/** `_id` of every type that can be one, and at another place than the first. */
function documentsById(): Buffer[] {
  const ids = [
    text('an id'),
    text(''),
    hex(7, '0102030405060708090a0b0c'),
    hex(9, '0102000000000000'),
    hex(8, '01'),
    hex(0x0a, ''),
    hex(0xff, ''),
    hex(0x7f, ''),
    binary(4, Buffer.alloc(16, 9)),
    hex(0x12, '0000000001000000'),
    hex(1, '000000000000e03f'),
    embedded(
      document([
        ['b', int32(1)],
        ['a', int32(1)],
      ]),
    ),
    embedded(
      document([
        ['a', int32(1)],
        ['b', int32(1)],
      ]),
    ),
  ]
  const found = ids.map((id) =>
    document([
      ['_id', id],
      ['kind', int32(id.type)],
    ]),
  )
  return [
    ...found,
    document([
      ['before', int32(1)],
      ['_id', int32(2_000_000)],
      ['behind', int32(2)],
    ]),
  ]
}

function largest(): Buffer {
  const empty = document([
    ['_id', int32(3_000_000)],
    ['text', text('')],
  ])
  return document([
    ['_id', int32(3_000_000)],
    ['text', text(Buffer.alloc(LARGEST_DOCUMENT - empty.length, 'x'))],
  ])
}

function deep(levels: number): Value {
  let value = int32(1)
  for (let level = 1; level < levels; level += 1) {
    value = level % 2 === 0 ? embedded(document([['d', value]])) : array(document([['0', value]]))
  }
  return value
}
