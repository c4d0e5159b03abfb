import { BSON, type Document, MongoClient } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encode, type Fields } from './encode.ts'
import { documentOf } from './raw-bson.ts'
import { type MongodbDouble, startMongodb } from './server.ts'

let double: MongodbDouble
let client: MongoClient

beforeEach(async () => {
  double = await startMongodb()
  client = await MongoClient.connect(double.uri)
})

afterEach(async () => {
  await client.close()
  await double.stop()
})

async function rawBytes(documents: AsyncIterable<unknown>): Promise<Buffer[]> {
  const bytes: Buffer[] = []
  for await (const document of documents) {
    if (!(document instanceof Uint8Array)) throw new TypeError('not raw')
    bytes.push(Buffer.from(document))
  }
  return bytes
}

describe('documents', () => {
  it('come back byte for byte, whatever a decoder would make of them', async () => {
    const part = (fields: Fields): Buffer => encode(fields).subarray(4, -1)
    const stored = [
      documentOf([part({ _id: 1 }), part({ a: 1 }), part({ a: 2 })]),
      encode({ _id: new BSON.Double(2), 10: 'ten', 9: 'nine' }),
      encode({ _id: BSON.Long.fromNumber(3), double: new BSON.Double(1), code: new BSON.Code('x', { y: 1 }) }),
    ]
    double.store.add('app', 'odd', { documents: stored })

    const read = await rawBytes(client.db('app').collection('odd').find({}, { raw: true, batchSize: 2 }))

    expect(read).toEqual(stored)
  })

  it('are listed with databases, collections and indexes', async () => {
    const app = client.db('app')
    await app.collection('things').insertMany([{ a: 1 }, { a: 2 }])
    await app.collection('things').createIndex({ a: 1, b: -1 }, { unique: true, sparse: true })

    const { databases } = await client.db().admin().listDatabases({ nameOnly: true })
    const collections = await app.listCollections().toArray()
    const indexes = await app.collection('things').indexes()

    expect(databases.map(({ name }) => name)).toEqual(['admin', 'app', 'config', 'local'])
    expect(collections).toMatchObject([{ name: 'things', type: 'collection', options: {}, idIndex: { name: '_id_' } }])
    expect(indexes).toEqual([
      { v: 2, key: { _id: 1 }, name: '_id_' },
      { v: 2, key: { a: 1, b: -1 }, name: 'a_1_b_-1', unique: true, sparse: true },
    ])
  })

  it('are gone after a drop', async () => {
    await client.db('app').collection('things').insertOne({ a: 1 })
    await client.db('app').collection('things').drop()

    expect(await client.db('app').listCollections().toArray()).toEqual([])
    expect(await client.db('app').collection('things').find().toArray()).toEqual([])
  })
})

describe('cursors', () => {
  it('give batches of the size asked for and end by themselves', async () => {
    const documents = Array.from({ length: 250 }, (_, _id) => encode({ _id }))
    double.store.add('app', 'many', { documents })

    const first = await client.db('app').command({ find: 'many', batchSize: 100 })
    const second = await client
      .db('app')
      .command({ getMore: BSON.Long.fromNumber(first['cursor'].id), collection: 'many', batchSize: 100 })
    const third = await client
      .db('app')
      .command({ getMore: BSON.Long.fromNumber(first['cursor'].id), collection: 'many' })

    expect(first['cursor'].firstBatch).toHaveLength(100)
    expect(second['cursor'].nextBatch).toHaveLength(100)
    expect(third['cursor'].nextBatch.map(({ _id }: Document) => _id)).toEqual(
      Array.from({ length: 50 }, (_, i) => 200 + i),
    )
    expect(third['cursor'].id).toBe(0)
    expect(double.openCursors()).toBe(0)
  })

  it('keep a reply within 16 MiB of documents', async () => {
    const text = 'x'.repeat(1024 * 1024)
    double.store.add('app', 'big', { documents: Array.from({ length: 40 }, (_, _id) => encode({ _id, text })) })

    const { cursor } = await client.db('app').command({ find: 'big', batchSize: 40 })
    expect(cursor.firstBatch).toHaveLength(15)

    const rest = await client.db('app').command({ getMore: BSON.Long.fromNumber(cursor.id), collection: 'big' })
    expect(rest['cursor'].nextBatch).toHaveLength(15)
  })

  it('are closed by the client that leaves early', async () => {
    double.store.add('app', 'many', { documents: Array.from({ length: 250 }, (_, _id) => encode({ _id })) })

    const cursor = client.db('app').collection('many').find()
    await cursor.next()
    expect(double.openCursors()).toBe(1)
    await cursor.close()

    expect(double.openCursors()).toBe(0)
    expect(double.commands).toContain('killCursors')
  })
})
