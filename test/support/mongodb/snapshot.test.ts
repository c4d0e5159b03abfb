import { type Collection, type Document, MongoClient, type Timestamp } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encode } from './encode.ts'
import { type MongodbDouble, type MongodbOptions, startMongodb } from './server.ts'

interface Numbered {
  readonly _id: number
  readonly a?: number
}

let double: MongodbDouble
let client: MongoClient

afterEach(async () => {
  await client.close()
  await double.stop()
})

async function start(options: MongodbOptions = {}): Promise<Collection<Numbered>> {
  double = await startMongodb(options)
  client = await MongoClient.connect(double.uri)
  const numbers = Array.from({ length: 10 }, (_, _id) => encode({ _id, a: 0 }))
  double.store.add('app', 'numbers', { documents: numbers })
  return client.db('app').collection<Numbered>('numbers')
}

function find(readConcern?: Document, collection = 'numbers'): Promise<Document> {
  return client.db('app').command({ find: collection, ...(readConcern ? { readConcern } : {}) })
}

async function now(): Promise<Timestamp> {
  const { cursor } = await find({ level: 'snapshot' })
  return cursor.atClusterTime
}

function ids(reply: Document): readonly number[] {
  return reply['cursor'].firstBatch.map(({ _id }: Numbered) => _id)
}

describe('snapshot reads', () => {
  let numbers: Collection<Numbered>

  beforeEach(async () => {
    numbers = await start()
  })

  it('tell the instant inside the cursor, other reads do not', async () => {
    expect((await find({ level: 'snapshot' }))['cursor'].atClusterTime._bsontype).toBe('Timestamp')
    expect((await find({ level: 'majority' }))['cursor']).not.toHaveProperty('atClusterTime')
    expect((await find())['cursor']).not.toHaveProperty('atClusterTime')
  })

  it('serve the data of their instant, whatever is written later', async () => {
    const atClusterTime = await now()
    await numbers.insertOne({ _id: 10 })
    await numbers.deleteOne({ _id: 0 })
    await numbers.replaceOne({ _id: 1 }, { a: 99 })

    const then = await find({ level: 'snapshot', atClusterTime })
    const latest = await find({ level: 'snapshot' })

    expect(ids(then)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(then['cursor'].firstBatch[1]).toEqual({ _id: 1, a: 0 })
    expect(then['cursor'].atClusterTime).toEqual(atClusterTime)
    expect(ids(latest)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(latest['cursor'].firstBatch[0]).toEqual({ _id: 1, a: 99 })
  })

  it('stay at their instant through getMore, where a plain cursor sees the writes', async () => {
    const snapshot = numbers.find({}, { readConcern: { level: 'snapshot' }, batchSize: 2 })
    const plain = numbers.find({}, { batchSize: 2 })
    await Promise.all([snapshot.next(), plain.next()])
    await numbers.insertOne({ _id: 10 })
    await numbers.deleteOne({ _id: 9 })

    expect((await snapshot.toArray()).map(({ _id }) => _id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect((await plain.toArray()).map(({ _id }) => _id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 10])
  })

  it('are too old once the history window has passed', async () => {
    const atClusterTime = await now()
    await client.db('admin').command({ setParameter: 1, minSnapshotHistoryWindowInSeconds: 0 })
    // The instant of the snapshot lies in the second that is just ending or in an earlier one.
    await expect
      .poll(() => find({ level: 'snapshot', atClusterTime }).catch((error) => error.code), { timeout: 3000 })
      .toBe(239)
  })

  it('are refused by commands that cannot give them', async () => {
    const readConcern = { level: 'snapshot' }
    const app = client.db('app')

    await expect(app.command({ count: 'numbers', readConcern })).rejects.toMatchObject({ code: 72 })
    await expect(app.command({ listIndexes: 'numbers', readConcern })).rejects.toMatchObject({ code: 72 })
    await expect(app.command({ listCollections: 1, readConcern })).rejects.toMatchObject({ code: 72 })
  })

  it('are unavailable for what was made, dropped or renamed after their instant, and for capped collections', async () => {
    await client.db('app').createCollection('dropped')
    await client.db('app').createCollection('capped', { capped: true, size: 4096 })
    const atClusterTime = await now()
    await client.db('app').dropCollection('dropped')
    await client.db('app').createCollection('new')
    await numbers.rename('moved')

    for (const name of ['dropped', 'new', 'moved', 'numbers', 'capped']) {
      await expect(find({ level: 'snapshot', atClusterTime }, name), name).rejects.toMatchObject({ code: 246 })
    }
    expect(ids(await find({ level: 'snapshot', atClusterTime }, 'never there'))).toEqual([])
  })

  it('cannot be in the future', async () => {
    const { t } = await now()
    const { Timestamp: Time } = await import('mongodb')
    const atClusterTime = new Time({ t: t + 3600, i: 1 })

    await expect(find({ level: 'snapshot', atClusterTime })).rejects.toMatchObject({ code: 72 })
  })
})

describe('servers without snapshot reads', () => {
  it('ignore the read concern, when told to do as FerretDB', async () => {
    await start({ snapshotReads: false })

    const { cursor } = await find({ level: 'snapshot' })

    expect(cursor.firstBatch).toHaveLength(10)
    expect(cursor).not.toHaveProperty('atClusterTime')
  })

  it('refuse it when they are no replica set, and give no times', async () => {
    await start({ standalone: true })

    await expect(find({ level: 'snapshot' })).rejects.toMatchObject({ code: 123, codeName: 'NotAReplicaSet' })
    const reply = await find()
    expect(reply).not.toHaveProperty('operationTime')
    expect(reply).not.toHaveProperty('$clusterTime')
    expect(await client.db('admin').command({ hello: 1 })).not.toHaveProperty('setName')
  })
})
