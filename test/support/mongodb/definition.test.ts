import { type Document, MongoClient, UUID } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { paletteCollections } from './palette-data.ts'
import { loadCollections, seedStore } from './palette-load.ts'
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

async function described(name: string, database = 'app'): Promise<Document | undefined> {
  const [found] = await client.db(database).listCollections({ name }).toArray()
  return found
}

describe('collections', () => {
  it('keep the options they were created with, in their order', async () => {
    const options = {
      capped: true,
      size: 4096,
      validator: { z: { $type: 'string' }, a: 1 },
      validationAction: 'warn',
    }
    await client.db('app').createCollection('things', options)

    const things = await described('things')

    expect(things).toMatchObject({ type: 'collection', info: { readOnly: false } })
    expect(JSON.stringify(things?.['options'])).toBe(JSON.stringify(options))
    await expect(client.db('app').createCollection('things')).rejects.toMatchObject({ code: 48 })
    await expect(client.db('app').command({ create: 'x', sise: 1 })).rejects.toMatchObject({ code: 40415 })
  })

  it('may be made with an identity, as mongorestore does', async () => {
    const ui = new UUID()
    const applyOps = [{ op: 'c', ns: 'app.$cmd', ui, o: { create: 'things', collation: { locale: 'de' } } }]
    await client.db('admin').command({ applyOps })

    const things = await described('things')

    expect(String(things?.['info'].uuid)).toBe(String(ui))
    expect(things?.['idIndex']).toMatchObject({ name: '_id_', collation: { locale: 'de' } })
  })

  it('may be views, which show what their pipeline lets through', async () => {
    const app = client.db('app')
    await app.collection('things').insertMany([{ a: 1 }, { a: 2 }])
    await app.createCollection('twos', { viewOn: 'things', pipeline: [{ $match: { a: 2 } }] })

    expect(await described('twos')).toMatchObject({
      type: 'view',
      options: { viewOn: 'things', pipeline: [{ $match: { a: 2 } }] },
      info: { readOnly: true },
    })
    expect(await app.collection('twos').find().project({ _id: 0 }).toArray()).toEqual([{ a: 2 }])
    await expect(app.collection('twos').insertOne({})).rejects.toMatchObject({ code: 166 })
    await expect(app.command({ listIndexes: 'twos' })).rejects.toMatchObject({ code: 166 })
    expect(await app.collection('system.views').find().toArray()).toMatchObject([{ _id: 'app.twos', viewOn: 'things' }])
  })

  it('may be time series, whose data lies in buckets', async () => {
    const timeseries = { timeField: 'at', metaField: 'source', granularity: 'minutes' }
    await client.db('app').createCollection('series', { timeseries, expireAfterSeconds: 60 })

    const whole = { ...timeseries, bucketMaxSpanSeconds: 86_400 }
    expect(await described('series')).toMatchObject({
      type: 'timeseries',
      options: { timeseries: whole, expireAfterSeconds: 60 },
    })
    expect(await described('system.buckets.series')).toMatchObject({
      type: 'collection',
      options: { clusteredIndex: true, timeseries: whole, expireAfterSeconds: 60 },
    })
    expect(await client.db('app').collection('system.buckets.series').indexes()).toEqual([])
    await client.db('app').dropCollection('series')
    expect(await described('system.buckets.series')).toBeUndefined()
  })

  it('are renamed, over another one if told so', async () => {
    const app = client.db('app')
    await app.collection('from').insertOne({ a: 1 })
    await app.collection('to').insertOne({ a: 2 })

    await expect(app.renameCollection('from', 'to')).rejects.toMatchObject({ code: 48 })
    await app.renameCollection('from', 'to', { dropTarget: true })

    expect(await app.collection('to').find().project({ _id: 0 }).toArray()).toEqual([{ a: 1 }])
    expect(await described('from')).toBeUndefined()
  })

  it('go with their database', async () => {
    await client.db('app').collection('things').insertOne({})
    await client.db('app').dropDatabase()

    const { databases } = await client
      .db()
      .admin()
      .listDatabases({ nameOnly: true, filter: { name: 'app' } })
    expect(databases).toEqual([])
  })
})

describe('indexes', () => {
  it('of text are listed in their inner form, which can be given back', async () => {
    const key = { a: 1, title: 'text', body: 'text' } as const
    await client
      .db('app')
      .collection('things')
      .createIndex(key, { name: 'words', weights: { title: 5 } })

    const listed = await client.db('app').collection('things').indexes()
    expect(listed[1]).toEqual({
      v: 2,
      key: { a: 1, _fts: 'text', _ftsx: 1 },
      name: 'words',
      weights: { body: 1, title: 5 },
      default_language: 'english',
      language_override: 'language',
      textIndexVersion: 3,
    })

    await client.db('app').command({ createIndexes: 'copy', indexes: [listed[1]] })
    expect((await client.db('app').collection('copy').indexes())[1]).toEqual(listed[1])
  })

  it('are dropped by name, by key, or all but that of _id', async () => {
    const things = client.db('app').collection('things')
    await things.createIndexes([{ key: { a: 1 } }, { key: { b: 1 } }, { key: { c: 1 } }, { key: { d: 1 } }])

    await things.dropIndex('a_1')
    await client.db('app').command({ dropIndexes: 'things', index: { b: 1 } })
    expect((await things.indexes()).map(({ name }) => name)).toEqual(['_id_', 'c_1', 'd_1'])
    await expect(things.dropIndex('a_1')).rejects.toMatchObject({ code: 27 })
    await things.dropIndexes()
    expect((await things.indexes()).map(({ name }) => name)).toEqual(['_id_'])
  })

  it('are refused with options a server does not know, and under a name that is taken', async () => {
    const app = client.db('app')
    await app.collection('things').createIndex({ a: 1 }, { name: 'taken' })

    const odd = { key: { b: 1 }, name: 'b_1', dropDups: true }
    await expect(app.command({ createIndexes: 'things', indexes: [odd] })).rejects.toMatchObject({ code: 197 })
    await expect(app.collection('things').createIndex({ b: 1 }, { name: 'taken' })).rejects.toMatchObject({ code: 86 })
    await expect(app.command({ listIndexes: 'nothing' })).rejects.toMatchObject({ code: 26 })
  })
})

describe('Palette data', () => {
  it('is the same whether it comes through the driver or straight into the store', async () => {
    const collections = paletteCollections({ bytes: 150_000, collections: 6 })
    await loadCollections(client, collections)
    await using direct = await startMongodb()
    seedStore(direct.store, collections, { prepared: true })

    for (const { db, collection } of collections) {
      expect(double.store.documents(db, collection), collection).toEqual(direct.store.documents(db, collection))
      expect(double.store.find(db, collection)?.indexes).toEqual(direct.store.find(db, collection)?.indexes)
    }
  })

  it('of every type is stored with its views, series, indexes and options', async () => {
    seedStore(double.store, paletteCollections({ bytes: 100_000, allTypes: true }))

    const types = (await client.db('hubbledb').listCollections().toArray()).map(({ name, type }) => `${name} ${type}`)
    expect(types).toEqual(expect.arrayContaining(['running view', 'running_names view', 'recent collection']))
    expect((await client.db('hubbledb').collection('alltypes').indexes()).map(({ name }) => name)).toEqual([
      '_id_',
      'ttl',
      'partial',
      'words',
      'hashed',
      'place',
      'wildcard',
      'hidden',
    ])
    expect(double.store.documents('hubble_timeseriesdb', 'system.buckets.measurements')).toHaveLength(5)
  })
})
