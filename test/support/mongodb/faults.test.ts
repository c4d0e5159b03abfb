import { BSON, type Collection, MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { encode } from './encode.ts'
import { type MongodbDouble, startMongodb } from './server.ts'

let double: MongodbDouble
let client: MongoClient
let things: Collection

beforeEach(async () => {
  double = await startMongodb()
  client = await MongoClient.connect(double.uri, { serverSelectionTimeoutMS: 2000 })
  double.store.add('app', 'things', { documents: Array.from({ length: 100 }, (_, _id) => encode({ _id })) })
  things = client.db('app').collection('things')
})

afterEach(async () => {
  await client.close()
  await double.stop()
})

it('fails the n-th command of a name and no other', async () => {
  double.faults.fail('find', { nth: 2, code: 13, message: 'not today' })

  expect(await things.findOne()).toEqual({ _id: 0 })
  await expect(things.findOne()).rejects.toMatchObject({ code: 13, codeName: 'Unauthorized', message: 'not today' })
  expect(await things.findOne()).toEqual({ _id: 0 })
})

it('closes the connection at the n-th getMore', async () => {
  double.faults.closeAt(2)

  const read: unknown[] = []
  const reading = async (): Promise<void> => {
    for await (const thing of things.find({}, { batchSize: 10 })) read.push(thing)
  }

  await expect(reading()).rejects.toThrow(/closed/)
  expect(read).toHaveLength(20)
})

it('says SnapshotTooOld from the n-th getMore on', async () => {
  double.faults.snapshotTooOld(3)
  const cursor = things.find({}, { batchSize: 10, readConcern: { level: 'snapshot' } })

  await expect(cursor.toArray()).rejects.toMatchObject({ code: 239, codeName: 'SnapshotTooOld' })
  await expect(things.find({}, { batchSize: 10 }).toArray()).rejects.toMatchObject({ code: 239 })
})

it('strikes one collection only, when told so', async () => {
  double.faults.add({
    command: 'find',
    collection: 'others',
    times: Number.POSITIVE_INFINITY,
    action: { kind: 'fail', code: 96, message: 'broken' },
  })

  expect(await things.findOne()).toEqual({ _id: 0 })
  await expect(client.db('app').collection('others').findOne()).rejects.toMatchObject({ code: 96 })
})

it('answers late', async () => {
  double.faults.delay('ping', 120)
  const start = performance.now()

  await client.db('app').command({ ping: 1 })

  expect(performance.now() - start).toBeGreaterThanOrEqual(115)
})

it('stalls until the rules are cleared', async () => {
  double.faults.stall('ping')
  let answered = false
  const ping = client
    .db('app')
    .command({ ping: 1 })
    .then(() => {
      answered = true
    })
  await expect.poll(() => double.commands.includes('ping')).toBe(true)
  expect(answered).toBe(false)

  double.faults.clear()
  await ping

  expect(answered).toBe(true)
})

it('stops while a command stalls', async () => {
  double.faults.stall('ping')
  const ping = client.db('app').command({ ping: 1 })
  const refused = expect(ping).rejects.toThrow()
  await expect.poll(() => double.commands.includes('ping')).toBe(true)

  await double.stop()
  await client.close()
  await refused
  expect(double.openConnections()).toBe(0)
})

it('does a write once that the client sends twice because the answer was lost', async () => {
  double.faults.add({ command: 'insert', action: { kind: 'close', after: true } })

  const { insertedId } = await client.db('app').collection('written').insertOne({ a: 1 })

  expect(double.commands.filter((name) => name === 'insert')).toHaveLength(2)
  expect(double.store.documents('app', 'written')).toHaveLength(1)
  expect(await client.db('app').collection('written').findOne()).toEqual({ _id: insertedId, a: 1 })
})

it('knows a cursor only until it is killed', async () => {
  const { cursor } = await client.db('app').command({ find: 'things', batchSize: 10 })
  const id = BSON.Long.fromNumber(cursor.id)
  await client.db('app').command({ killCursors: 'things', cursors: [id] })

  await expect(client.db('app').command({ getMore: id, collection: 'things' })).rejects.toMatchObject({ code: 43 })
})
