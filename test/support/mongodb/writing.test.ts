import { type Collection, MongoClient } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encode } from './encode.ts'
import { type MongodbDouble, startMongodb } from './server.ts'

interface Numbered {
  readonly _id: number
  readonly a?: unknown
  readonly b?: unknown
}

let double: MongodbDouble
let client: MongoClient
let things: Collection<Numbered>

beforeEach(async () => {
  double = await startMongodb()
  client = await MongoClient.connect(double.uri)
  things = client.db('app').collection<Numbered>('things')
})

afterEach(async () => {
  await client.close()
  await double.stop()
})

function ids(documents: readonly Numbered[]): readonly number[] {
  return documents.map(({ _id }) => _id)
}

describe('insert', () => {
  it('gives an _id, in front, to documents that have none', async () => {
    await client.db('app').command({ insert: 'things', documents: [{ a: 1 }] })

    const [stored] = await client.db('app').collection('things').find().toArray()
    expect(Object.keys(stored ?? {})).toEqual(['_id', 'a'])
    expect(stored?._id._bsontype).toBe('ObjectId')
  })

  it('refuses an _id that is there; ordered it ends, unordered it goes on', async () => {
    await things.insertOne({ _id: 2 })
    const documents = [{ _id: 1 }, { _id: 2 }, { _id: 3 }, { _id: 3 }]
    const app = client.db('app')

    const ordered = await app.command({ insert: 'things', documents })
    expect(ordered).toMatchObject({ n: 1, writeErrors: [{ index: 1, code: 11000 }] })

    const unordered = await app.command({ insert: 'things', documents, ordered: false })
    expect(unordered).toMatchObject({ n: 1, writeErrors: [{ index: 0 }, { index: 1 }, { index: 3, code: 11000 }] })
    expect(ids(await things.find().toArray())).toEqual([2, 1, 3])
  })

  it('takes 1, 1.0 and NumberLong(1) for the same _id', async () => {
    const { Double, Int32, Long } = await import('mongodb')
    const documents = [{ _id: new Int32(1) }, { _id: new Double(1) }, { _id: Long.fromNumber(1) }]

    const reply = await client.db('app').command({ insert: 'things', documents, ordered: false })

    expect(reply).toMatchObject({ n: 1, writeErrors: [{ index: 1 }, { index: 2 }] })
  })

  it('keeps a capped collection within its bounds', async () => {
    const capped = await client
      .db('app')
      .createCollection<Numbered>('capped', { capped: true, size: 1_000_000, max: 3 })
    await capped.insertMany([1, 2, 3, 4, 5].map((_id) => ({ _id })))

    expect(ids(await capped.find().toArray())).toEqual([3, 4, 5])
  })
})

describe('update and delete', () => {
  beforeEach(async () => {
    await things.insertMany([
      { _id: 1, a: 'x' },
      { _id: 2, a: 'x' },
      { _id: 3, a: 'y' },
    ])
  })

  it('replace, set, unset and upsert', async () => {
    await things.replaceOne({ _id: 1 }, { b: 1 })
    await things.updateMany({ a: 'x' }, { $set: { b: 2 }, $unset: { a: 1 } })
    const { upsertedId } = await things.updateOne({ _id: 9 }, { $set: { a: 'z' } }, { upsert: true })

    expect(upsertedId).toBe(9)
    expect(await things.find().toArray()).toEqual([
      { _id: 1, b: 1 },
      { _id: 2, b: 2 },
      { _id: 3, a: 'y' },
      { _id: 9, a: 'z' },
    ])
  })

  it('remove one, some or all', async () => {
    expect(await things.deleteOne({ _id: 2 })).toMatchObject({ deletedCount: 1 })
    expect(ids(await things.find().toArray())).toEqual([1, 3])
    expect(await things.deleteMany({ a: 'y' })).toMatchObject({ deletedCount: 1 })
    expect(await things.deleteMany({})).toMatchObject({ deletedCount: 1 })
    expect(await things.countDocuments()).toBe(0)
  })

  it('say what is not played', async () => {
    const increment = client
      .db('app')
      .collection('things')
      .updateOne({}, { $inc: { a: 1 } })
    await expect(increment).rejects.toMatchObject({ code: 238 })
  })
})

describe('reading what was written', () => {
  beforeEach(() => {
    double.store.add('app', 'things', {
      documents: [
        encode({ _id: 3, a: 'x', b: { c: [1, 2] } }),
        encode({ _id: 1, a: 'y' }),
        encode({ _id: 2, a: 'x', b: null }),
      ],
    })
  })

  it.each([
    [{ a: 'x' }, [3, 2]],
    [{ _id: 1 }, [1]],
    [{ _id: { $gt: 1 } }, [3, 2]],
    [{ _id: { $gte: 2, $lt: 3 } }, [2]],
    [{ _id: { $in: [1, 3] } }, [3, 1]],
    [{ a: { $ne: 'x' } }, [1]],
    [{ a: /^Y/i }, [1]],
    [{ a: { $not: /^y/ } }, [3, 2]],
    [{ 'b.c': 2 }, [3]],
    [{ b: null }, [1, 2]],
    [{ b: { $exists: true } }, [3, 2]],
    [{ $or: [{ _id: 1 }, { _id: 2 }] }, [1, 2]],
    [{ $and: [{ a: 'x' }, { _id: 2 }] }, [2]],
  ])('by %o', async (filter, expected) => {
    expect(ids(await client.db('app').collection<Numbered>('things').find(filter).toArray())).toEqual(expected)
    expect(await things.countDocuments(filter)).toBe(expected.length)
  })

  it('sorted, skipped, limited and projected', async () => {
    expect(ids(await things.find().sort({ _id: 1 }).toArray())).toEqual([1, 2, 3])
    expect(ids(await things.find().sort({ $natural: -1 }).toArray())).toEqual([2, 1, 3])
    expect(ids(await things.find().sort({ a: -1, _id: 1 }).skip(1).limit(1).toArray())).toEqual([2])
    expect(await things.find({ _id: 3 }).project({ a: 1 }).toArray()).toEqual([{ _id: 3, a: 'x' }])
    expect(await things.find({ _id: 3 }).project({ b: 0, _id: 0 }).toArray()).toEqual([{ a: 'x' }])
  })

  it('counted and measured', async () => {
    const stages = [{ $collStats: { count: {}, storageStats: {} } }]
    const bytes = double.store.documents('app', 'things').reduce((sum, document) => sum + document.length, 0)

    expect(await things.estimatedDocumentCount()).toBe(3)
    expect(await things.aggregate(stages).toArray()).toMatchObject([
      { count: 3, storageStats: { count: 3, size: bytes } },
    ])
    expect(await client.db('app').command({ collStats: 'things' })).toMatchObject({ count: 3, size: bytes })
    expect(await client.db('app').stats()).toMatchObject({ collections: 1, objects: 3, dataSize: bytes })
  })

  it('refusing operators and stages that are not played', async () => {
    await expect(things.find({ a: { $near: 1 } }).toArray()).rejects.toMatchObject({ code: 2 })
    await expect(things.aggregate([{ $lookup: {} }]).toArray()).rejects.toMatchObject({ code: 40324 })
  })
})
