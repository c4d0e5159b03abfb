import { createHash } from 'node:crypto'
import { BSON, type Document, MongoClient } from 'mongodb'

export interface CollectionContents {
  readonly name: string
  readonly type: string
  readonly options: string
  readonly indexes: readonly string[]
  readonly documents: number
  readonly bytes: number
  /** Bytes of the largest document. */
  readonly largest: number
  /** SHA-256 over the sorted bytes of all documents: the order of reading does not matter, every bit does. */
  readonly digest: string
}

/** What a server holds, read with the driver alone, so that nothing under test takes part in the comparison. */
export async function contentsOf(uri: string, databases: readonly string[]): Promise<CollectionContents[]> {
  const client = new MongoClient(uri)
  try {
    const contents: CollectionContents[] = []
    for (const database of databases) {
      const db = client.db(database)
      const collections: Document[] = await db.listCollections({}, { promoteValues: false }).toArray()
      for (const found of collections) {
        const name = String(found['name'])
        if (name.startsWith('system.') && !name.startsWith('system.buckets.') && name !== 'system.js') continue
        const type = String(found['type'] ?? 'collection')
        const isPlain = type === 'collection'
        const indexes = isPlain ? await db.collection(name).listIndexes({ promoteValues: false }).toArray() : []
        contents.push({
          name: `${database}.${name}`,
          type,
          options: BSON.EJSON.stringify(found['options'] ?? {}, { relaxed: false }),
          indexes: indexes.map(({ ns: _, ...index }) => BSON.EJSON.stringify(index, { relaxed: false })).sort(),
          ...(isPlain ? await digestOf(client, database, name) : { documents: 0, bytes: 0, largest: 0, digest: '' }),
        })
      }
    }
    return contents.sort((a, b) => (a.name < b.name ? -1 : 1))
  } finally {
    await client.close()
  }
}

async function digestOf(client: MongoClient, database: string, collection: string) {
  const hashes: string[] = []
  let total = 0
  let largest = 0
  for await (const document of client.db(database).collection(collection).find({}, { raw: true })) {
    const bytes: unknown = document
    if (!(bytes instanceof Uint8Array)) throw new Error('the driver decoded a document that was asked for raw')
    hashes.push(createHash('sha256').update(bytes).digest('hex'))
    total += bytes.length
    largest = Math.max(largest, bytes.length)
  }
  const digest = createHash('sha256').update(hashes.sort().join()).digest('hex')
  return { documents: hashes.length, bytes: total, largest, digest }
}
