import { BSON } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { readExtendedJson } from '../../../agent/sources/mongodb/archive/read-extended-json.ts'
import { extendedJsonOf } from '../../../agent/sources/mongodb/archive/write-extended-json.ts'
import { array, codeWithScope, document, embedded, hex, int32, text } from '../../support/mongodb/corpus.ts'

const DEFINITION = document([
  ['b', int32(1)],
  ['10', hex(1, '000000000000f03f')],
  ['9', hex(0x12, '0100000000000000')],
  ['say "hi"\n', text('\u2028 back\\slash "quoted"')],
  [
    'nested',
    embedded(
      document([
        ['2', int32(2)],
        [
          '1',
          array(
            document([
              ['0', text('x')],
              ['1', embedded(document([]))],
            ]),
          ),
        ],
      ]),
    ),
  ],
  ['$expr', embedded(document([['$gt', array(document([]))]]))],
  ['when', hex(9, '00e40b5402000000')],
  ['like', hex(0x0b, '5e6100' + '6900')],
  ['id', hex(7, '0102030405060708090a0b0c')],
  ['decimal', hex(0x13, '0a000000000000000000000000003e30')],
  ['max', hex(0x7f, '')],
  ['nothing', hex(0x0a, '')],
  ['yes', hex(8, '01')],
])

describe('Extended JSON of a definition', () => {
  it('keeps the order of its fields, there and back', () => {
    const written = extendedJsonOf(DEFINITION)
    expect(written.startsWith('{"b":{"$numberInt":"1"},"10":{"$numberDouble":"1.0"},"9":{"$numberLong":"1"}')).toBe(
      true,
    )
    expect(Buffer.from(BSON.serialize(readExtendedJson(written))).toString('latin1')).toBe(
      DEFINITION.toString('latin1'),
    )
  })

  it('says what the library says, where an object can hold it', () => {
    const plain = BSON.serialize({
      a: 1,
      b: 1.5,
      c: [BSON.Long.fromNumber(2), { d: new Date(0), e: /x/i, f: 'é', g: null }],
    })
    const decoded = BSON.deserialize(plain, { promoteValues: false, bsonRegExp: true })
    expect(extendedJsonOf(plain)).toBe(BSON.EJSON.stringify(decoded, { relaxed: false }))
  })

  it('leaves out what it is told to', () => {
    expect(
      extendedJsonOf(
        document([
          ['ns', text('a.b')],
          ['v', int32(2)],
        ]),
        { except: 'ns' },
      ),
    ).toBe('{"v":{"$numberInt":"2"}}')
  })

  it('writes code with its scope', () => {
    const written = extendedJsonOf(document([['f', codeWithScope('g()', document([['x', int32(1)]]))]]))
    expect(written).toBe('{"f":{"$code":"g()","$scope":{"x":{"$numberInt":"1"}}}}')
    expect(readExtendedJson(written).get('f')).toMatchObject({ code: 'g()' })
  })

  it('reads what other programs write: spaces, line ends, plain numbers', () => {
    const read = readExtendedJson(
      '{ "options" : { } ,\n "indexes" : [ { "v" : 2, "key" : { "a.b" : -1.0 } } ] , "n" : 1e3 }',
    )
    expect([...read.keys()]).toEqual(['options', 'indexes', 'n'])
    expect(read.get('indexes')).toEqual([
      new Map([
        ['v', new BSON.Int32(2)],
        ['key', new Map([['a.b', expect.anything()]])],
      ] as [string, unknown][]),
    ])
  })

  it.each(['', '[]', '1', '{"a":}', '{"a":1', '{"a":1}x', `${'{"a":'.repeat(600)}1${'}'.repeat(600)}`])(
    'refuses what is no definition: %s',
    (bad) => {
      expect(() => readExtendedJson(bad)).toThrow(SyntaxError)
    },
  )

  it('refuses bytes that are no BSON', () => {
    for (let at = 4; at < DEFINITION.length; at += 1) {
      const broken = Buffer.from(DEFINITION)
      broken[at] = 0x7e
      try {
        expect(typeof extendedJsonOf(broken)).toBe('string')
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(Error)
      }
    }
    expect(() => extendedJsonOf(DEFINITION.subarray(0, 40))).toThrow()
  })
})
