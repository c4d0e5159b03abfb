import { ObjectId } from 'mongodb'
import { BSON_TYPE, element, type RawElement } from './raw-bson.ts'

// `_id` and its end as a number.
const ID_NAME = Buffer.from('_id\0').readUInt32LE()

/** The document with an `_id` in front, where the client sent none. MongoDB manual, db.collection.insertOne(), "_id Field". */
export function withId(document: Buffer): Buffer {
  if (startsWithId(document) || element(document, '_id')) return document
  const id = Buffer.concat([Buffer.from('\x07_id\x00'), new ObjectId().id])
  const grown = Buffer.concat([document.subarray(0, 4), id, document.subarray(4)])
  grown.writeInt32LE(grown.length, 0)
  return grown
}

/** A key under which equal `_id` values meet: 1, 1.0 and NumberLong(1) are the same `_id`. */
export function idKey(document: Buffer): string {
  // Nearly every document begins with an ObjectId; this spares it the general way.
  if (document[4] === BSON_TYPE.objectId && startsWithId(document)) {
    return `${BSON_TYPE.objectId}:${document.toString('latin1', 9, 21)}`
  }
  const id = element(document, '_id')
  return id ? valueKey(id) : ''
}

/** Equal keys for values MongoDB holds for equal; Decimal128 is compared by its bytes only. */
export function valueKey({ type, value }: Pick<RawElement, 'type' | 'value'>): string {
  switch (type) {
    case BSON_TYPE.int32:
      return `n${value.readInt32LE(0)}`
    case BSON_TYPE.int64:
      return `n${value.readBigInt64LE(0)}`
    case BSON_TYPE.double: {
      const number = value.readDoubleLE(0)
      return Number.isInteger(number) ? `n${BigInt(number)}` : `n${number}`
    }
    default:
      return `${type}:${value.toString('latin1')}`
  }
}

function startsWithId(document: Buffer): boolean {
  return document.length > 9 && document.readUInt32LE(5) === ID_NAME
}
