import { BSON } from 'mongodb'
import { Failure } from '../../../core/errors.ts'

/**
 * A BSON document as canonical Extended JSON v2 (specification "MongoDB Extended JSON", version 2.1), straight from its bytes:
 * as an object of this language it would lose the order of fields such as `10` and `9`, which makes another index.
 */
export function extendedJsonOf(document: Uint8Array, { except }: { readonly except?: string } = {}): string {
  return write(view(document), false, except)
}

/** The fields of a document and where each lies, in their order. */
export function* fieldsOf(document: Uint8Array): Generator<{ name: string; type: number; value: Buffer }> {
  const bytes = view(document)
  for (let at = 4; at < bytes.length - 1; ) {
    const type = bytes[at] ?? 0
    const nameEnd = bytes.indexOf(0, at + 1)
    if (nameEnd < 0) throw malformed()
    const start = nameEnd + 1
    const end = start + lengthOf(type, bytes, start)
    if (end > bytes.length - 1) throw malformed()
    yield { name: bytes.toString('utf8', at + 1, nameEnd), type, value: bytes.subarray(start, end) }
    at = end
  }
}

const TYPE = {
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  regularExpression: 0x0b,
  pointer: 0x0c,
} as const
const CODE_WITH_SCOPE = 0x0f

/** BSON specification 1.1; types that are their length in front, after 4 bytes, or have a fixed one. */
const FIXED: Readonly<Record<number, number>> = {
  ...{ 1: 8, 6: 0, 7: 12, 8: 1, 9: 8, 10: 0, 16: 4, 17: 8, 18: 8, 19: 16, 127: 0, 255: 0 },
}

function write(bytes: Buffer, isArray: boolean, except?: string): string {
  const parts: string[] = []
  for (const { name, type, value } of fieldsOf(bytes)) {
    if (name === except) continue
    const text = jsonOf(type, value)
    parts.push(isArray ? text : `${JSON.stringify(name)}:${text}`)
  }
  return isArray ? `[${parts.join(',')}]` : `{${parts.join(',')}}`
}

function jsonOf(type: number, value: Buffer): string {
  if (type === TYPE.document) return write(value, false)
  if (type === TYPE.array) return write(value, true)
  if (type === CODE_WITH_SCOPE) {
    const codeEnd = 8 + value.readInt32LE(4)
    const code = value.toString('utf8', 8, codeEnd - 1)
    return `{"$code":${JSON.stringify(code)},"$scope":${write(value.subarray(codeEnd), false)}}`
  }
  // What holds no fields the library may say: a document of this one value.
  const single = Buffer.alloc(8 + value.length)
  single.writeInt32LE(single.length)
  single.set([type, 0x76, 0], 4)
  single.set(value, 7)
  const decoded = BSON.deserialize(single, { promoteValues: false, bsonRegExp: true })
  return BSON.EJSON.stringify(decoded, { relaxed: false }).slice('{"v":'.length, -1)
}

function lengthOf(type: number, bytes: Buffer, at: number): number {
  const fixed = FIXED[type]
  if (fixed !== undefined) return fixed
  if (type === TYPE.regularExpression) return bytes.indexOf(0, bytes.indexOf(0, at) + 1) + 1 - at
  if (at + 4 > bytes.length) throw malformed()
  const length = bytes.readInt32LE(at)
  if (length < 0) throw malformed()
  switch (type) {
    case TYPE.document:
    case TYPE.array:
    case CODE_WITH_SCOPE:
      return length
    case TYPE.binary:
      return 5 + length
    case TYPE.pointer:
      return 4 + length + 12
    case TYPE.string:
    case 0x0d:
    case 0x0e:
      return 4 + length
    default:
      throw malformed()
  }
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function malformed(): Failure {
  return new Failure('reading the definition of a collection: it is not BSON', { code: 'damaged' })
}
