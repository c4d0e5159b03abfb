import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type MongodbDouble, startMongodb } from './server.ts'

const auth = { username: 'ro=ot,1', password: 'pass:word/ü?' }

let double: MongodbDouble

beforeEach(async () => {
  double = await startMongodb({ auth })
})

afterEach(() => double.stop())

function address(): string {
  return `mongodb://127.0.0.1:${double.port}/?replicaSet=rs0`
}

it('lets in who knows the password', async () => {
  await using client = await MongoClient.connect(double.uri)

  const { authInfo } = await client.db('admin').command({ connectionStatus: 1 })

  expect(authInfo.authenticatedUsers).toEqual([{ user: auth.username, db: 'admin' }])
  expect(await client.db('app').listCollections().toArray()).toEqual([])
})

it('refuses a wrong password and an unknown user alike', async () => {
  for (const wrong of [
    { ...auth, password: 'other' },
    { ...auth, username: 'other' },
  ]) {
    const client = new MongoClient(address(), { auth: wrong, authMechanism: 'SCRAM-SHA-256' })
    await expect(client.connect()).rejects.toMatchObject({ code: 18, codeName: 'AuthenticationFailed' })
    await client.close()
  }
})

it('refuses commands of who has not authenticated, but answers the handshake', async () => {
  await using client = await MongoClient.connect(address())

  expect(await client.db('admin').command({ ping: 1 })).toMatchObject({ ok: 1 })
  await expect(client.db('app').command({ find: 'x' })).rejects.toMatchObject({ code: 13, codeName: 'Unauthorized' })
  await expect(client.db('app').command({ nonsense: 1 })).rejects.toMatchObject({ code: 13 })
})

it('knows no other mechanism', async () => {
  const client = new MongoClient(address(), { auth, authMechanism: 'SCRAM-SHA-1' })
  await expect(client.connect()).rejects.toMatchObject({ code: 334 })
  await client.close()
})
