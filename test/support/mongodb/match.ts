import { CommandError } from './errors.ts'
import { valueKey } from './ids.ts'
import { compareValues } from './order.ts'
import { arrayDocuments, BSON_TYPE, elements, type RawElement } from './raw-bson.ts'

/** A value as it lies in a document. */
type RawValue = Pick<RawElement, 'type' | 'value'>
export type Matcher = (document: Buffer) => boolean

type Condition = (found: readonly RawValue[]) => boolean

/**
 * Compiles a filter; nothing for a filter that everything matches. Plays equality, the comparison operators,
 * `$in`, `$nin`, `$exists`, `$regex`, `$not`, `$and`, `$or` and `$nor` on (dotted) fields, and refuses the rest by name.
 * MongoDB manual, Query Predicates.
 */
export function compileFilter(filter: Buffer | undefined): Matcher | undefined {
  if (!filter || filter.length <= 5) return undefined
  const parts = Array.from(elements(filter), compileElement)
  return (document) => parts.every((part) => part(document))
}

function compileElement({ name, type, value }: RawElement): Matcher {
  if (name === '$comment') return () => true
  if (name === '$and' || name === '$or' || name === '$nor') {
    const parts = arrayDocuments(value).map((part) => compileFilter(part) ?? (() => true))
    if (name === '$and') return (document) => parts.every((part) => part(document))
    const any: Matcher = (document) => parts.some((part) => part(document))
    return name === '$or' ? any : (document) => !any(document)
  }
  if (name.startsWith('$')) throw new CommandError(2, `unknown top level operator: ${name}`)
  const path = name.split('.')
  const condition = compileCondition({ type, value })
  return (document) => condition(valuesAt({ type: BSON_TYPE.document, value: document }, path))
}

function compileCondition(expected: RawValue): Condition {
  const operators = expected.type === BSON_TYPE.document ? [...elements(expected.value)] : []
  if (!operators[0]?.name.startsWith('$')) return equality(expected)
  const conditions = operators
    .filter(({ name }) => name !== '$options')
    .map((operator) => compileOperator(operator, operators))
  return (found) => conditions.every((condition) => condition(found))
}

function compileOperator(operator: RawElement, siblings: readonly RawElement[]): Condition {
  const { name, value } = operator
  switch (name) {
    case '$eq':
      return equality(operator)
    case '$ne':
      return negated(equality(operator))
    case '$in':
      return anyOf(value)
    case '$nin':
      return negated(anyOf(value))
    case '$not':
      return negated(compileCondition(operator))
    case '$exists': {
      const wanted = truthy(operator)
      return (found) => found.length > 0 === wanted
    }
    case '$gt':
      return ordered(operator, (order) => order > 0)
    case '$gte':
      return ordered(operator, (order) => order >= 0)
    case '$lt':
      return ordered(operator, (order) => order < 0)
    case '$lte':
      return ordered(operator, (order) => order <= 0)
    case '$regex': {
      const options = siblings.find((sibling) => sibling.name === '$options')
      return matching(regexOf(operator, options ? text(options) : undefined))
    }
    default:
      throw new CommandError(2, `unknown operator: ${name}`)
  }
}

function equality(expected: RawValue): Condition {
  if (expected.type === BSON_TYPE.regex) return matching(regexOf(expected))
  const key = valueKey(expected)
  // `{ field: null }` also matches where there is no such field. MongoDB manual, Query for Null or Missing Fields.
  const missing = expected.type === BSON_TYPE.null
  return (found) => (missing && found.length === 0) || found.some((value) => valueKey(value) === key)
}

function anyOf(array: Buffer): Condition {
  const conditions = Array.from(elements(array), equality)
  return (found) => conditions.some((condition) => condition(found))
}

function negated(condition: Condition): Condition {
  return (found) => !condition(found)
}

function ordered(bound: RawValue, accepts: (order: number) => boolean): Condition {
  return (found) =>
    found.some((value) => {
      const order = compareValues(value, bound)
      return order !== undefined && accepts(order)
    })
}

function matching(pattern: RegExp): Condition {
  return (found) => found.some((value) => value.type === BSON_TYPE.string && pattern.test(text(value)))
}

function regexOf({ type, value }: RawValue, options?: string): RegExp {
  if (type !== BSON_TYPE.regex) return new RegExp(text({ type, value }), flags(options ?? ''))
  const [source = '', own = ''] = value.toString('utf8').split('\0')
  return new RegExp(source, flags(options ?? own))
}

function flags(options: string): string {
  return [...options].filter((option) => 'ims'.includes(option)).join('')
}

/** The values a path leads to; an array stands for itself and for each of its elements. */
function valuesAt(from: RawValue, path: readonly string[]): readonly RawValue[] {
  const [name, ...rest] = path
  if (name === undefined) return from.type === BSON_TYPE.array ? [from, ...elements(from.value)] : [from]
  if (from.type !== BSON_TYPE.document && from.type !== BSON_TYPE.array) return []
  const found: RawValue[] = []
  for (const inner of elements(from.value)) {
    if (inner.name === name) found.push(...valuesAt(inner, rest))
    else if (from.type === BSON_TYPE.array && inner.type === BSON_TYPE.document) found.push(...valuesAt(inner, path))
  }
  return found
}

function text({ value }: RawValue): string {
  return value.toString('utf8', 4, value.length - 1)
}

function truthy({ type, value }: RawValue): boolean {
  if (type === BSON_TYPE.int32 || type === BSON_TYPE.boolean) return value.some((byte) => byte !== 0)
  return type === BSON_TYPE.double ? value.readDoubleLE(0) !== 0 : type !== BSON_TYPE.null
}
