import { BSON, type MongoClient } from 'mongodb'
import { createCollection } from './creation.ts'
import { encode } from './encode.ts'
import { collatedIndex, normaliseIndex } from './index-specification.ts'
import type { PaletteCollection } from './palette-data.ts'
import type { Store } from './store.ts'

const BATCH_DOCUMENTS = 1000
const BATCH_BYTES = 8 * 1024 * 1024

/** Puts collections straight into the store of a double; with `prepared` they are served at full speed. */
export function seedStore(
  store: Store,
  collections: Iterable<PaletteCollection>,
  options: { readonly prepared?: boolean } = {},
): void {
  for (const { db, collection, options: settings, indexes, into, documents } of collections) {
    const created = createCollection(store, db, collection, encode(settings), {
      prepared: options.prepared ?? false,
    })
    created.indexes = [
      ...created.indexes,
      ...indexes.map((index) => collatedIndex(normaliseIndex(encode(index)), created.options)),
    ]
    const target = into === undefined ? created : store.ensure(db, into)
    if (target.type === 'collection') store.insert(target, [...documents()])
  }
}

/** Puts collections into any server through the driver; what the server refuses is thrown. */
export async function loadCollections(client: MongoClient, collections: Iterable<PaletteCollection>): Promise<void> {
  for (const { db: database, collection, options, indexes, into, documents } of collections) {
    const db = client.db(database)
    await db.createCollection(collection, options)
    const target = db.collection(into ?? collection)
    for (const batch of batches(documents())) await target.insertMany(batch.map((bytes) => decode(bytes)))
    if (indexes.length > 0) await db.command({ createIndexes: collection, indexes })
  }
}

function* batches(documents: Iterable<Buffer>): Generator<Buffer[]> {
  let batch: Buffer[] = []
  let bytes = 0
  for (const document of documents) {
    if (batch.length >= BATCH_DOCUMENTS || (batch.length > 0 && bytes + document.length > BATCH_BYTES)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(document)
    bytes += document.length
  }
  if (batch.length > 0) yield batch
}

// Without promotion the numbers keep their types.
function decode(bytes: Buffer) {
  return BSON.deserialize(bytes, { promoteValues: false, bsonRegExp: true })
}
