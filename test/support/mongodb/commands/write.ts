import { BSON } from 'mongodb'
import { collectionArgument, documentsArgument } from '../arguments.ts'
import type { ClusterClock } from '../cluster-clock.ts'
import type { Collection } from '../collection.ts'
import type { Context, FieldsCommand } from '../context.ts'
import type { Fields } from '../encode.ts'
import { CommandError, notPlayed } from '../errors.ts'
import { idKey, valueKey, withId } from '../ids.ts'
import { compileFilter } from '../match.ts'
import { BSON_TYPE, documentOf, element, elements, embedded, type RawElement } from '../raw-bson.ts'
import type { Request } from '../wire.ts'

/** One document, its `_id` and a little room. MongoDB manual, Limits and Thresholds, "BSON Document Size". */
const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024 + 16 * 1024

export const writeCommands: Readonly<Record<string, FieldsCommand>> = { insert, delete: remove, update }

/** MongoDB manual, insert. Validators are kept, never applied, but for what keeps buckets of a time series uniform. */
function insert(request: Request, { store, settings }: Context): Fields {
  const collection = writable(store.ensure(request.database, collectionArgument(request)))
  const ordered = request.fields['ordered'] !== false
  const literally = request.fields['bypassEmptyTsReplacement'] === true
  if (literally && !knowsLiterally(settings.version)) {
    throw new CommandError(40415, "BSON field 'insert.bypassEmptyTsReplacement' is an unknown field.")
  }
  const accepted: Buffer[] = []
  const taken = new Set<string>()
  const writeErrors: Fields[] = []
  for (const [index, given] of documentsArgument(request, 'documents').entries()) {
    const document = literally ? withId(given) : stamped(withId(given), store.clock)
    const id = idKey(document)
    const error = refusal(collection, document, taken.has(id) || collection.has(id))
    if (error) {
      writeErrors.push({ index, ...error })
      if (ordered) break
      continue
    }
    taken.add(id)
    accepted.push(document)
  }
  if (accepted.length > 0) store.insert(collection, accepted)
  return { n: accepted.length, ...(writeErrors.length > 0 ? { writeErrors } : {}) }
}

function refusal(collection: Collection, document: Buffer, duplicate: boolean): Fields | undefined {
  if (document.length > MAX_DOCUMENT_BYTES) {
    return { code: 10334, errmsg: `object to insert too large. size in bytes: ${document.length}` }
  }
  if (!collection.mixedSchema && collection.name.startsWith('system.buckets.') && isMixed(document)) {
    return { code: 408, errmsg: 'Cannot insert time-series buckets with mixed schema data' }
  }
  if (!duplicate) return undefined
  const id = element(document, '_id')
  return {
    code: 11000,
    errmsg: `E11000 duplicate key error collection: ${collection.namespace} index: _id_`,
    keyPattern: { _id: 1 },
    keyValue: documentOf(id ? [id.bytes] : []),
  }
}

/** The versions that know it, as mongo-tools has them (common/db/empty_timestamp.go). */
function knowsLiterally(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  return (
    major >= 8 ||
    (minor === 0 &&
      patch >=
        (new Map([
          [5, 29],
          [6, 17],
          [7, 13],
        ]).get(major) ?? Number.POSITIVE_INFINITY))
  )
}

/** Empty timestamps of the top level, but for `_id`, become the present time. MongoDB manual, BSON Types, "Timestamps". */
function stamped(document: Buffer, clock: ClusterClock): Buffer {
  const fields = [...elements(document)]
  const isEmpty = ({ name, type, value }: RawElement): boolean =>
    name !== '_id' && type === BSON_TYPE.timestamp && value.readBigUInt64LE(0) === 0n
  if (!fields.some(isEmpty)) return document
  return documentOf(
    fields.map((field) => {
      if (!isEmpty(field)) return field.bytes
      const bytes = Buffer.from(field.bytes)
      bytes.writeBigUInt64LE(clock.tick(), bytes.length - 8)
      return bytes
    }),
  )
}

/** Whether smallest and largest value of a field are of different types (mongo-tools, common/db/db.go, error 408). */
function isMixed(bucket: Buffer): boolean {
  const control = embedded(bucket, 'control')
  const [min, max] = ['min', 'max'].map((name) => control && embedded(control, name))
  if (!min || !max) return false
  return [...elements(min)].some(({ name, type }) => (element(max, name)?.type ?? type) !== type)
}

/** MongoDB manual, delete. */
function remove(request: Request, { store }: Context): Fields {
  const collection = store.find(request.database, collectionArgument(request))
  let n = 0
  for (const statement of documentsArgument(request, 'deletes')) {
    if (!collection) break
    const limit = BSON.deserialize(statement)['limit']
    const places = matching(writable(collection), embedded(statement, 'q'), limit === 1 ? 1 : Number.POSITIVE_INFINITY)
    if (places.length > 0) store.rewrite(collection, new Map(places.map((place) => [place, undefined])))
    n += places.length
  }
  return { n }
}

/** Replacement documents and `$set`/`$unset` of top-level fields. MongoDB manual, update. */
function update(request: Request, { store }: Context): Fields {
  const collection = writable(store.ensure(request.database, collectionArgument(request)))
  const upserted: Fields[] = []
  let n = 0
  let nModified = 0
  for (const [index, statement] of documentsArgument(request, 'updates').entries()) {
    const { multi, upsert } = BSON.deserialize(statement)
    const query = embedded(statement, 'q') ?? documentOf([])
    const change = embedded(statement, 'u')
    if (!change) throw notPlayed('an update by a pipeline')
    const places = matching(collection, query, multi === true ? Number.POSITIVE_INFINITY : 1)
    if (places.length === 0 && upsert === true) {
      const made = withId(changed(documentOf(equalities(query)), change))
      store.insert(collection, [made])
      upserted.push({ index, _id: BSON.deserialize(made)['_id'] })
      n += 1
      continue
    }
    const changes = new Map(places.map((place) => [place, changed(at(collection, place), change)]))
    const modified = places.filter((place) => !changes.get(place)?.equals(at(collection, place)))
    if (modified.length > 0) store.rewrite(collection, changes)
    n += places.length
    nModified += modified.length
  }
  return { n, nModified, ...(upserted.length > 0 ? { upserted } : {}) }
}

function changed(document: Buffer, change: Buffer): Buffer {
  const operators = [...elements(change)]
  if (!operators[0]?.name.startsWith('$')) {
    const id = element(change, '_id') ? undefined : element(document, '_id')
    return id ? documentOf([id.bytes, ...operators.map(({ bytes }) => bytes)]) : change
  }
  const fields = new Map(Array.from(elements(document), ({ name, bytes }) => [name, bytes]))
  for (const operator of operators) {
    if (operator.name !== '$set' && operator.name !== '$unset') throw notPlayed(`the update operator ${operator.name}`)
    for (const { name, bytes } of elements(operator.value)) {
      if (name.includes('.')) throw notPlayed(`an update of the path ${name}`)
      if (operator.name === '$set') fields.set(name, bytes)
      else fields.delete(name)
    }
  }
  return documentOf([...fields.values()])
}

/** The fields of a query that an upsert takes over. */
function equalities(query: Buffer): readonly Buffer[] {
  return [...elements(query)].filter(({ name }) => !name.startsWith('$')).map(({ bytes }) => bytes)
}

function matching(collection: Collection, query: Buffer | undefined, limit: number): readonly number[] {
  const { documents, length } = collection.current
  const byId = query ? idOnly(query) : undefined
  if (byId !== undefined) {
    const place = collection.indexOfId(byId)
    return place === undefined ? [] : [place]
  }
  const matches = compileFilter(query)
  const places: number[] = []
  for (let place = 0; place < length && places.length < limit; place++) {
    const document = documents[place]
    if (document && (!matches || matches(document))) places.push(place)
  }
  return places
}

/** The key of `{ _id: value }`, which needs no scan. */
function idOnly(query: Buffer): string | undefined {
  const [id, another] = elements(query)
  if (id?.name !== '_id' || another || id.type === BSON_TYPE.document || id.type === BSON_TYPE.regex) return undefined
  return valueKey(id)
}

function at(collection: Collection, place: number): Buffer {
  return collection.current.documents[place] ?? documentOf([])
}

function writable(collection: Collection): Collection {
  if (collection.type === 'view') throw new CommandError(166, `Namespace ${collection.namespace} is a view`)
  if (collection.type === 'timeseries') throw notPlayed('putting measurements into buckets')
  return collection
}
