import { MongoClient } from 'mongodb'
import { expect, it } from 'vitest'
import { takeInventory } from '../../../agent/sources/mongodb/inventory.ts'
import { encode } from '../../support/mongodb/encode.ts'
import { startMongodb } from '../../support/mongodb/server.ts'
import { never } from './backing-up.ts'

it('asks again for the size of a collection only where it is another one of the same name', async () => {
  await using source = await startMongodb()
  const documents = (count: number) => Array.from({ length: count }, (_, _id) => encode({ _id }))
  for (const name of ['stays', 'goes']) source.store.add('app', name, { documents: documents(2) })
  await using client = await MongoClient.connect(source.uri)
  await using session = client.startSession()
  const db = client.db('app')
  const take = (known: Awaited<ReturnType<typeof takeInventory>>) =>
    takeInventory(db, { session, signal: never() }, known)
  const first = await take([])
  const bytes = first[0]?.sizeBytes ?? Number.NaN
  expect(first).toMatchObject([{ sizeBytes: bytes }, { sizeBytes: bytes }])

  await db.dropCollection('goes')
  source.store.add('app', 'goes', { documents: documents(200) })
  source.store.add('app', 'comes', { documents: documents(2) })
  const before = source.requests.length
  const again = Map.groupBy(await take(first), ({ collection }) => collection)
  expect(again.get('stays')).toMatchObject([{ sizeBytes: bytes }])
  expect(again.get('goes')).toMatchObject([{ sizeBytes: 100 * bytes }])
  expect(again.get('comes')).toMatchObject([{ sizeBytes: bytes }])
  const asked = source.requests.slice(before).filter(({ name }) => name === 'collStats')
  expect(asked.map(({ collection }) => collection).sort()).toEqual(['comes', 'goes'])
})
