import { BSON, UUID } from 'mongodb'
import { collectionArgument, documentsArgument, isRecord, stringArgument } from '../arguments.ts'
import type { Collection } from '../collection.ts'
import type { Context, FieldsCommand } from '../context.ts'
import { createCollection } from '../creation.ts'
import type { Fields } from '../encode.ts'
import { CommandError, notPlayed } from '../errors.ts'
import { collatedIndex, indexKeyBytes, indexName, normaliseIndex } from '../index-specification.ts'
import { documentOf, elements, embedded, embeddedArray } from '../raw-bson.ts'
import type { Request } from '../wire.ts'

export const definitionCommands: Readonly<Record<string, FieldsCommand>> = {
  create,
  createIndexes,
  dropIndexes,
  drop,
  dropDatabase,
  renameCollection,
  collMod,
  applyOps,
}

function create(request: Request, { store }: Context): Fields {
  createCollection(store, request.database, collectionArgument(request), request.body)
  return {}
}

/** MongoDB manual, createIndexes. */
function createIndexes(request: Request, { store }: Context): Fields {
  const tolerant = request.fields['ignoreUnknownIndexOptions'] === true
  const name = collectionArgument(request)
  const createdCollectionAutomatically = !store.find(request.database, name)
  const collection = store.ensure(request.database, name)
  if (collection.type === 'view') {
    throw new CommandError(166, `Namespace ${collection.namespace} is a view, not a collection`)
  }
  const specifications = documentsArgument(request, 'indexes').map((given) =>
    collatedIndex(normaliseIndex(given, tolerant), collection.options),
  )
  const before = collection.indexes
  const missing = specifications.filter((specification) => !isThere(before, specification))
  collection.indexes = [...before, ...missing]
  return {
    numIndexesBefore: before.length,
    numIndexesAfter: collection.indexes.length,
    createdCollectionAutomatically,
    ...(missing.length === 0 ? { note: 'all indexes already exist' } : {}),
  }
}

function isThere(indexes: readonly Buffer[], wanted: Buffer): boolean {
  const sameName = indexes.find((index) => indexName(index) === indexName(wanted))
  if (!sameName) return false
  if (indexKeyBytes(sameName).equals(indexKeyBytes(wanted))) return true
  throw new CommandError(86, `An existing index has the same name as the requested index: ${indexName(wanted)}`)
}

/** By name, by key, or all but `_id_`. MongoDB manual, dropIndexes. */
function dropIndexes(request: Request, { store }: Context): Fields {
  const collection = existing(request, store.find(request.database, collectionArgument(request)))
  const nIndexesWas = collection.indexes.length
  const asked = request.fields['index']
  const key = embedded(request.body, 'index')
  const doomed = (index: Buffer): boolean => {
    if (indexName(index) === '_id_') return false
    if (asked === '*') return true
    return key ? indexKeyBytes(index).equals(key) : [asked].flat().includes(indexName(index))
  }
  const kept = collection.indexes.filter((index) => !doomed(index))
  if (kept.length === nIndexesWas && asked !== '*') {
    throw new CommandError(27, `index not found with name [${String(asked)}]`)
  }
  collection.indexes = kept
  return { nIndexesWas }
}

/** MongoDB manual, drop: since 7.0 dropping what is not there is no error. */
function drop(request: Request, { store }: Context): Fields {
  const name = collectionArgument(request)
  const collection = store.drop(request.database, name)
  if (!collection) return {}
  if (collection.type === 'timeseries') store.drop(request.database, `system.buckets.${name}`)
  return { nIndexesWas: collection.indexes.length, ns: collection.namespace }
}

function dropDatabase(request: Request, { store }: Context): Fields {
  const collections = store.collections(request.database)
  for (const { name } of collections) store.drop(request.database, name)
  return collections.length > 0 ? { dropped: request.database } : {}
}

/** MongoDB manual, renameCollection. */
function renameCollection(request: Request, { store }: Context): Fields {
  const [fromDatabase, from] = splitNamespace(stringArgument(request.fields, 'renameCollection') ?? '')
  const [toDatabase, to] = splitNamespace(stringArgument(request.fields, 'to') ?? '')
  const collection = existing(request, store.find(fromDatabase, from))
  if (store.find(toDatabase, to)) {
    if (request.fields['dropTarget'] !== true) throw new CommandError(48, 'target namespace exists')
    store.drop(toDatabase, to)
  }
  store.rename(collection, toDatabase, to)
  return {}
}

/** Replaces options of a collection. MongoDB manual, collMod; changing an index is not played. */
function collMod(request: Request, { store }: Context): Fields {
  const collection = existing(request, store.find(request.database, collectionArgument(request)))
  const changed = ['validator', 'validationLevel', 'validationAction', 'viewOn', 'pipeline', 'expireAfterSeconds']
  const flag = 'timeseriesBucketsMayHaveMixedSchemaData'
  const given = [...elements(request.body)].filter(({ name }) => changed.includes(name))
  if (given.length === 0 && !(flag in request.fields)) throw notPlayed('this collMod')
  if (request.fields[flag] === true) {
    const buckets = store.find(request.database, `system.buckets.${collection.name}`)
    if (buckets) buckets.mixedSchema = true
  }
  const kept = [...elements(collection.options)].filter(({ name }) => !given.some((part) => part.name === name))
  collection.options = documentOf([...kept, ...given].map(({ bytes }) => bytes))
  return {}
}

/** Only what mongorestore --preserveUUID sends: the creation of collections with an identity. */
function applyOps(request: Request, { store }: Context): Fields {
  const operations = embeddedArray(request.body, 'applyOps')
  for (const operation of operations) {
    const { op, ns, ui, o } = BSON.deserialize(operation)
    const body = embedded(operation, 'o')
    if (op !== 'c' || !isRecord(o) || typeof o['create'] !== 'string' || !body) throw notPlayed(`applyOps with ${op}`)
    const identity = ui instanceof BSON.Binary ? { uuid: new UUID(ui.buffer) } : {}
    createCollection(store, String(ns).replace(/\.\$cmd$/, ''), o['create'], body, identity)
  }
  return { applied: operations.length, results: operations.map(() => true) }
}

function existing(request: Request, collection: Collection | undefined): Collection {
  if (collection) return collection
  throw new CommandError(26, `ns not found: ${request.database}.${String(request.fields[request.name])}`)
}

function splitNamespace(namespace: string): readonly [string, string] {
  const dot = namespace.indexOf('.')
  if (dot < 1) throw new CommandError(73, `Invalid namespace specified '${namespace}'`)
  return [namespace.slice(0, dot), namespace.slice(dot + 1)]
}
