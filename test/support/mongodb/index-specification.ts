import { BSON } from 'mongodb'
import { encode } from './encode.ts'
import { CommandError } from './errors.ts'
import { BSON_TYPE, documentOf, element, elements, type RawElement } from './raw-bson.ts'

/** What may stand in an index specification. MongoDB manual, createIndexes; older servers took more (`dropDups`). */
const KNOWN_OPTIONS = new Set([
  'v',
  'key',
  'name',
  'unique',
  'sparse',
  'background',
  'expireAfterSeconds',
  'partialFilterExpression',
  'collation',
  'weights',
  'default_language',
  'language_override',
  'textIndexVersion',
  '2dsphereIndexVersion',
  'bits',
  'min',
  'max',
  'wildcardProjection',
  'hidden',
  'storageEngine',
  'prepareUnique',
  'clustered',
])

/**
 * As a server keeps it: `v`, `key`, `name`, then the options as they were given; text indexes in their inner form.
 * `tolerant`: without what it does not know (`ignoreUnknownIndexOptions`, which mongorestore sends).
 */
export function normaliseIndex(given: Buffer, tolerant = false): Buffer {
  const named = new Map<string, RawElement>()
  for (const part of elements(given)) {
    // Kept by servers before 4.4, taken and forgotten since; mongorestore still sends it.
    if (part.name === 'ns') continue
    if (!KNOWN_OPTIONS.has(part.name)) {
      if (tolerant) continue
      throw new CommandError(197, `The field '${part.name}' is not valid for an index specification.`)
    }
    named.set(part.name, part)
  }
  const key = named.get('key')
  const name = named.get('name')
  if (!key || key.value.length <= 5) throw new CommandError(67, 'Index keys cannot be an empty object')
  if (!name) throw new CommandError(9, "The 'name' field is a required property of an index specification")
  const version = named.get('v') ?? elementOf({ v: 2 })
  for (const field of ['v', 'key', 'name']) named.delete(field)
  const { key: kept, defaults } = hasKind(key.value, 'text') ? textParts(key.value, named) : { key, defaults: [] }
  for (const part of defaults) named.set(part.name, part)
  // MongoDB manual, 2dsphere Indexes, "Versions".
  const sphere = elementOf({ '2dsphereIndexVersion': 3 })
  if (hasKind(key.value, '2dsphere') && !named.has(sphere.name)) named.set(sphere.name, sphere)
  return documentOf([version, kept, name, ...named.values()].map(({ bytes }) => bytes))
}

/**
 * An index has the collation of its collection unless it names one; the simple one is then listed as none.
 * MongoDB manual, Collation; createIndexes.
 */
export function collatedIndex(specification: Buffer, options: Buffer): Buffer {
  const own = element(specification, 'collation')
  const inherited = element(options, 'collation')
  if (!own) {
    if (!inherited) return specification
    return documentOf([...elements(specification), inherited].map(({ bytes }) => bytes))
  }
  const isSimple = BSON.deserialize(own.value)['locale'] === 'simple'
  const kept = [...elements(specification)].filter(({ name }) => !isSimple || name !== 'collation')
  return documentOf(kept.map(({ bytes }) => bytes))
}

export function indexName(specification: Buffer): string {
  const name = element(specification, 'name')
  return name ? name.value.toString('utf8', 4, name.value.length - 1) : ''
}

/** Equal keys mean the same index. */
export function indexKeyBytes(specification: Buffer): Buffer {
  return element(specification, 'key')?.value ?? Buffer.alloc(0)
}

/** A field of the key whose value is a word: `text`, `2dsphere`, `hashed`. */
function hasKind(key: Buffer, kind: string): boolean {
  return [...elements(key)].some(
    ({ type, value }) => type === BSON_TYPE.string && value.toString('latin1', 4, value.length - 1) === kind,
  )
}

/**
 * A text index is listed with the key `{ _fts: "text", _ftsx: 1 }` in place of its text fields, which become weights.
 * MongoDB manual, Text Indexes; listIndexes.
 */
function textParts(key: Buffer, options: ReadonlyMap<string, RawElement>) {
  const inner: Buffer[] = []
  const fields: string[] = []
  for (const part of elements(key)) {
    const isField = part.type === BSON_TYPE.string && part.name !== '_fts'
    if (isField) fields.push(part.name)
    if (isField && fields.length > 1) continue
    inner.push(...Array.from(isField ? elements(encode({ _fts: 'text', _ftsx: 1 })) : [part], ({ bytes }) => bytes))
  }
  const given = options.get('weights')?.value
  const weights = given ? BSON.deserialize(given) : {}
  for (const field of fields) weights[field] ??= 1
  const sorted = Object.fromEntries(Object.entries(weights).sort(([a], [b]) => (a < b ? -1 : 1)))
  const defaults = { default_language: 'english', language_override: 'language', textIndexVersion: 3 }
  const missing = Object.entries(defaults).filter(([name]) => !options.has(name))
  return {
    key: elementOf({ key: documentOf(inner) }),
    defaults: Object.entries({ weights: sorted, ...Object.fromEntries(missing) }).map(([n, v]) =>
      elementOf({ [n]: v }),
    ),
  }
}

function elementOf(fields: Readonly<Record<string, unknown>>): RawElement {
  const [only] = elements(encode(fields))
  if (!only) throw new RangeError('no field given')
  return only
}
