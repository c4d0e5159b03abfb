import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encode, type Fields } from './encode.ts'
import { documentOf } from './raw-bson.ts'
import { message, opMsg, opQuery, rawClient } from './raw-client.ts'
import { type MongodbDouble, startMongodb } from './server.ts'

const CHECKSUM_PRESENT = 1
const MORE_TO_COME = 2
const EXHAUST_ALLOWED = 1 << 16

let double: MongodbDouble

beforeEach(async () => {
  double = await startMongodb()
})

afterEach(() => double.stop())

describe('messages', () => {
  it('are understood however they are cut', async () => {
    await using client = await rawClient(double.port)
    const ping = opMsg({ ping: 1, $db: 'admin' })
    for (const pieces of [1, 3, ping.length]) {
      await client.send(ping, { pieces })
      expect(await client.answer()).toMatchObject({ ok: 1 })
    }
  })

  it('are understood with a checksum, and with leave to stream, which is not taken', async () => {
    await using client = await rawClient(double.port)

    await client.send(opMsg({ ping: 1, $db: 'admin' }, { flags: CHECKSUM_PRESENT }))
    expect(await client.answer()).toMatchObject({ ok: 1 })
    await client.send(opMsg({ hello: 1, $db: 'admin' }, { flags: EXHAUST_ALLOWED }))
    expect(await client.answer()).toMatchObject({ isWritablePrimary: true, maxWireVersion: 21, setName: 'rs0' })
  })

  it('of the old kind get an answer of the old kind', async () => {
    await using client = await rawClient(double.port)

    await client.send(opQuery({ isMaster: 1, helloOk: true }))

    expect(await client.answer()).toMatchObject({ ismaster: true, helloOk: true, maxWireVersion: 21, ok: 1 })
  })

  it('that want no answer get none', async () => {
    await using client = await rawClient(double.port)
    const documents = [encode({ _id: 1 })]

    await client.send(opMsg({ insert: 'x', $db: 'app' }, { flags: MORE_TO_COME, sequence: ['documents', documents] }))
    await client.send(opMsg({ count: 'x', $db: 'app' }))

    expect(await client.answer()).toMatchObject({ n: 1 })
  })

  it.each([
    ['an unknown opcode', message(2012, Buffer.alloc(20))],
    ['a length that cannot be', Buffer.from('0100000001000000000000000000dd07', 'hex')],
    ['a flag that must be known', opMsg({ ping: 1, $db: 'admin' }, { flags: 1 << 5 })],
    ['no command', message(2013, Buffer.alloc(4))],
  ])('with %s end the connection', async (_what, bytes) => {
    await using client = await rawClient(double.port)

    await client.send(bytes)

    await client.ended()
  })

  it('carry documents that are stored as they came, inline or in a section', async () => {
    await using client = await rawClient(double.port)
    const part = (fields: Fields): Buffer => encode(fields).subarray(4, -1)
    const odd = documentOf([part({ b: 1 }), part({ _id: 7 }), part({ b: 2 }), part({ 2: 'two' }), part({ 1: 'one' })])

    await client.send(opMsg({ insert: 'x', $db: 'app' }, { sequence: ['documents', [odd]] }))
    expect(await client.answer()).toMatchObject({ n: 1, ok: 1 })
    await client.send(opMsg({ insert: 'x', $db: 'app', documents: [{ a: 1, _id: 8 }] }))
    expect(await client.answer()).toMatchObject({ n: 1, ok: 1 })

    expect(double.store.documents('app', 'x')).toEqual([odd, encode({ a: 1, _id: 8 })])
  })
})

describe('commands', () => {
  it('that do not exist are refused by name', async () => {
    await using client = await MongoClient.connect(double.uri)

    await expect(client.db('app').command({ nonsense: 1 })).rejects.toMatchObject({
      code: 59,
      codeName: 'CommandNotFound',
      message: "no such command: 'nonsense'",
    })
  })

  it('tell what the server is', async () => {
    await using client = await MongoClient.connect(double.uri)
    const admin = client.db('admin')

    expect(await admin.command({ buildInfo: 1 })).toMatchObject({ version: '7.0.14', versionArray: [7, 0, 14, 0] })
    const parameter = { getParameter: 1, featureCompatibilityVersion: 1, minSnapshotHistoryWindowInSeconds: 1 }
    expect(await admin.command(parameter)).toMatchObject({
      featureCompatibilityVersion: { version: '7.0' },
      minSnapshotHistoryWindowInSeconds: 300,
    })
    const address = `127.0.0.1:${double.port}`
    expect(await admin.command({ replSetGetStatus: 1 })).toMatchObject({
      set: 'rs0',
      myState: 1,
      members: [{ name: address, stateStr: 'PRIMARY' }],
    })
    expect(await admin.command({ replSetGetConfig: 1 })).toMatchObject({ config: { members: [{ host: address }] } })
    expect(await admin.command({ serverStatus: 1 })).toMatchObject({ repl: { setName: 'rs0' } })
  })

  it('are remembered with what they asked for', async () => {
    await using client = await MongoClient.connect(double.uri)
    await client.db('app').collection('things').find({ a: 1 }, { batchSize: 7 }).toArray()

    expect(double.commands).toContain('find')
    expect(double.requests.find(({ name }) => name === 'find')).toMatchObject({
      database: 'app',
      collection: 'things',
      fields: { filter: { a: 1 }, batchSize: 7 },
    })
  })
})
