import { notPlayed } from './errors.ts'
import { BSON_TYPE, element, type RawElement } from './raw-bson.ts'

type RawValue = Pick<RawElement, 'type' | 'value'>

/**
 * Orders two values of the same kind; `undefined` where they are of different kinds, which a range never matches.
 * MongoDB manual, Comparison/Sort Order.
 */
export function compareValues(left: RawValue, right: RawValue): number | undefined {
  if (kindRank(left.type) !== kindRank(right.type)) return undefined
  return compareSameKind(left, right)
}

/** A comparison of documents for `sort`, by top-level fields. */
export function compileSort(names: readonly (readonly [string, number])[]): (a: Buffer, b: Buffer) => number {
  if (names.some(([name]) => name.includes('.'))) throw notPlayed('sorting by a path')
  return (a, b) => {
    for (const [name, direction] of names) {
      const order = compareForSort(element(a, name), element(b, name))
      if (order !== 0) return order * direction
    }
    return 0
  }
}

function compareForSort(left: RawValue | undefined, right: RawValue | undefined): number {
  const ranks = kindRank(left?.type ?? BSON_TYPE.null) - kindRank(right?.type ?? BSON_TYPE.null)
  if (ranks !== 0 || !left || !right) return ranks
  return compareSameKind(left, right)
}

function compareSameKind(left: RawValue, right: RawValue): number {
  const a = number(left)
  const b = number(right)
  if (a !== undefined && b !== undefined) return a < b ? -1 : a > b ? 1 : 0
  // Strings, ObjectIds, binaries and the rest are ordered by their bytes, lengths apart.
  return Buffer.compare(unprefixed(left), unprefixed(right))
}

function number({ type, value }: RawValue): number | bigint | undefined {
  if (type === BSON_TYPE.int32) return value.readInt32LE(0)
  if (type === BSON_TYPE.int64 || type === BSON_TYPE.date) return value.readBigInt64LE(0)
  if (type === BSON_TYPE.double) return value.readDoubleLE(0)
  return type === BSON_TYPE.timestamp ? value.readBigUInt64LE(0) : undefined
}

function unprefixed({ type, value }: RawValue): Buffer {
  return type === BSON_TYPE.string || type === 0x0e ? value.subarray(4) : value
}

const KIND_RANKS = new Map<number, number>([
  [BSON_TYPE.minKey, 0],
  [0x06, 1],
  [BSON_TYPE.null, 1],
  [BSON_TYPE.int32, 2],
  [BSON_TYPE.int64, 2],
  [BSON_TYPE.double, 2],
  [0x13, 2],
  [0x0e, 3],
  [BSON_TYPE.string, 3],
  [BSON_TYPE.document, 4],
  [BSON_TYPE.array, 5],
  [BSON_TYPE.binary, 6],
  [BSON_TYPE.objectId, 7],
  [BSON_TYPE.boolean, 8],
  [BSON_TYPE.date, 9],
  [BSON_TYPE.timestamp, 10],
  [BSON_TYPE.regex, 11],
  [BSON_TYPE.maxKey, 20],
])

function kindRank(type: number): number {
  return KIND_RANKS.get(type) ?? 12
}
