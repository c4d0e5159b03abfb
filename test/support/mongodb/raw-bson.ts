/**
 * Reading BSON without decoding it. The double keeps the bytes of documents as they came: what a program
 * under test loses or alters on the way must show, so nothing may be decoded and encoded again here.
 *
 * Format: bsonspec.org, version 1.1.
 */

/** One element of a document: `bytes` is all of it, `value` what follows its name. Both are views. */
export interface RawElement {
  readonly type: number
  readonly name: string
  readonly value: Buffer
  readonly bytes: Buffer
}

export const BSON_TYPE = {
  double: 0x01,
  string: 0x02,
  document: 0x03,
  array: 0x04,
  binary: 0x05,
  objectId: 0x07,
  boolean: 0x08,
  date: 0x09,
  null: 0x0a,
  regex: 0x0b,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
  minKey: 0xff,
  maxKey: 0x7f,
} as const

/** The elements of a document or array, in order, duplicates included. */
export function* elements(document: Buffer): Generator<RawElement> {
  const end = document.length - 1
  let at = 4
  while (at < end) {
    const type = byte(document, at)
    const nameEnd = document.indexOf(0, at + 1)
    const valueEnd = nameEnd + 1 + valueLength(type, document, nameEnd + 1)
    if (nameEnd < 0 || valueEnd > end) throw new RangeError('BSON element ends beyond its document')
    yield {
      type,
      name: document.toString('utf8', at + 1, nameEnd),
      value: document.subarray(nameEnd + 1, valueEnd),
      bytes: document.subarray(at, valueEnd),
    }
    at = valueEnd
  }
}

export function element(document: Buffer, name: string): RawElement | undefined {
  for (const found of elements(document)) {
    if (found.name === name) return found
  }
  return undefined
}

/** The embedded document `name`, as bytes. */
export function embedded(document: Buffer, name: string): Buffer | undefined {
  const found = element(document, name)
  return found?.type === BSON_TYPE.document ? found.value : undefined
}

/** The documents in the array `name`, as bytes; elements of other types are left out. */
export function embeddedArray(document: Buffer, name: string): readonly Buffer[] {
  const found = element(document, name)
  return found?.type === BSON_TYPE.array ? arrayDocuments(found.value) : []
}

export function arrayDocuments(array: Buffer): readonly Buffer[] {
  const documents: Buffer[] = []
  for (const { type, value } of elements(array)) {
    if (type === BSON_TYPE.document) documents.push(value)
  }
  return documents
}

/** A document made of elements that are bytes already. */
export function documentOf(parts: readonly Buffer[]): Buffer {
  let length = 5
  for (const part of parts) length += part.length
  const document = Buffer.allocUnsafe(length)
  document.writeInt32LE(length, 0)
  let at = 4
  for (const part of parts) at += part.copy(document, at)
  document[at] = 0
  return document
}

/** Documents that follow one another without anything between, as in a section of kind 1. */
export function splitDocuments(bytes: Buffer): readonly Buffer[] {
  const documents: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = at + 4 <= bytes.length ? bytes.readInt32LE(at) : 0
    if (length < 5 || at + length > bytes.length) throw new RangeError('BSON document has a wrong length')
    documents.push(bytes.subarray(at, at + length))
    at += length
  }
  return documents
}

function valueLength(type: number, bytes: Buffer, at: number): number {
  switch (type) {
    case 0x06: // undefined
    case BSON_TYPE.null:
    case BSON_TYPE.minKey:
    case BSON_TYPE.maxKey:
      return 0
    case BSON_TYPE.boolean:
      return 1
    case BSON_TYPE.int32:
      return 4
    case BSON_TYPE.double:
    case BSON_TYPE.date:
    case BSON_TYPE.timestamp:
    case BSON_TYPE.int64:
      return 8
    case BSON_TYPE.objectId:
      return 12
    case 0x13: // Decimal128
      return 16
    case BSON_TYPE.string:
    case 0x0d: // code
    case 0x0e: // symbol
      return 4 + bytes.readInt32LE(at)
    case 0x0c: // DBPointer
      return 4 + bytes.readInt32LE(at) + 12
    case BSON_TYPE.binary:
      return 5 + bytes.readInt32LE(at)
    case BSON_TYPE.document:
    case BSON_TYPE.array:
    case 0x0f: // code with scope
      return bytes.readInt32LE(at)
    case BSON_TYPE.regex:
      return bytes.indexOf(0, bytes.indexOf(0, at) + 1) + 1 - at
    default:
      throw new RangeError(`BSON has no type 0x${type.toString(16)}`)
  }
}

function byte(bytes: Buffer, at: number): number {
  const value = bytes[at]
  if (value === undefined) throw new RangeError('BSON document ends too early')
  return value
}
