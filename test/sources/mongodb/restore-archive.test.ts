import { MongoClient } from 'mongodb'
import { afterEach, describe, expect, it } from 'vitest'
import { Crc64 } from '../../../agent/sources/mongodb/archive/crc64.ts'
import { ArchiveWriter } from '../../../agent/sources/mongodb/archive/writer.ts'
import { rawInsert, takesLiterally } from '../../../agent/sources/mongodb/raw-insert.ts'
import { Wire } from '../../../agent/sources/mongodb/wire/wire.ts'
import type { RestoreOptions } from '../../../agent/sources/source.ts'
import { document, embedded, hex, int32, text } from '../../support/mongodb/corpus.ts'
import { createCollection } from '../../support/mongodb/creation.ts'
import { encode } from '../../support/mongodb/encode.ts'
import { collatedIndex, normaliseIndex } from '../../support/mongodb/index-specification.ts'
import { type MongodbDouble, type MongodbOptions, startMongodb } from '../../support/mongodb/server.ts'
import { collect, errorOf, streamOf } from '../../support/streams.ts'
import { backUp, never, sourceOf } from './backing-up.ts'

const started: MongodbDouble[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()))
})

async function double(options: MongodbOptions = {}): Promise<MongodbDouble> {
  const one = await startMongodb(options)
  started.push(one)
  return one
}

async function restored(source: MongodbDouble, target: MongodbDouble, options: Partial<RestoreOptions> = {}) {
  const { archive } = await backUp(source.uri)
  return await sourceOf(target.uri).restore(streamOf(archive), { signal: never(), ...options })
}

const hexOf = ({ store }: MongodbDouble, name: string) => store.documents('app', name).map((one) => one.toString('hex'))

describe('a restore', () => {
  it('keeps the order of a capped collection, though inserts overtake each other elsewhere', async () => {
    const [source, target] = [await double(), await double()]
    const capped = createCollection(source.store, 'app', 'capped', encode({ capped: true, size: 100_000_000 }))
    const filler = 'x'.repeat(1_000_000)
    source.store.insert(
      capped,
      Array.from({ length: 24 }, (_, _id) => encode({ _id, filler })),
    )
    target.faults.add({ command: 'insert', nth: 1, action: { kind: 'delay', ms: 300 } })
    target.faults.add({ command: 'insert', nth: 3, action: { kind: 'delay', ms: 200 } })
    expect(await restored(source, target)).toMatchObject({ documents: 24, problems: [] })
    expect(target.commands.filter((name) => name === 'insert').length).toBeGreaterThan(3)
    expect(hexOf(target, 'capped')).toEqual(hexOf(source, 'capped'))
  })

  it('keeps which collation an index compares by: its own, that of its collection, or none', async () => {
    const [source, target] = [await double(), await double()]
    const options = encode({ collation: { locale: 'de' } })
    const made = createCollection(source.store, 'app', 'germans', options)
    const index = (one: object) => collatedIndex(normaliseIndex(encode({ ...one })), made.options)
    made.indexes = [
      ...made.indexes,
      index({ key: { a: 1 }, name: 'own', collation: { locale: 'fr' } }),
      index({ key: { b: 1 }, name: 'inherited' }),
      index({ key: { c: 1 }, name: 'simple', collation: { locale: 'simple' } }),
    ]
    expect(await restored(source, target)).toMatchObject({ indexes: 3, problems: [] })
    const listed = ({ store }: MongodbDouble) => store.find('app', 'germans')?.indexes.map((one) => one.toString('hex'))
    expect(listed(target)).toEqual(listed(source))
  })

  it('waits for indexes longer than for any other answer', async () => {
    const [source, target] = [await double(), await double()]
    const made = source.store.add('app', 'a', { documents: [encode({ _id: 1 })] })
    made.indexes = [...made.indexes, normaliseIndex(encode({ key: { a: 1 }, name: 'a' }))]
    target.faults.delay('createIndexes', 1200)
    const { archive } = await backUp(source.uri)
    const patient = sourceOf(`${target.uri}&socketTimeoutMS=400`)
    expect(await patient.restore(streamOf(archive), { signal: never() })).toMatchObject({ indexes: 1, problems: [] })
    const controller = new AbortController()
    target.faults.clear()
    target.faults.stall('createIndexes')
    const stopped = patient.restore(streamOf(archive), { signal: controller.signal })
    setTimeout(() => controller.abort(), 800)
    expect(await errorOf(stopped)).toMatchObject({ code: 'cancelled' })
  })

  it('builds an index of an old server without what no server knows any more, and says so', async () => {
    const [source, target] = [await double(), await double()]
    const made = source.store.add('app', 'a', { documents: [encode({ _id: 1 })] })
    const good = { v: 2, key: { a: 1 }, name: 'good' }
    const old = { v: 2, key: { b: 1 }, name: 'old', unique: true, dropDups: true }
    made.indexes = [...made.indexes, encode(good), encode(old)]
    const { indexes, problems } = await restored(source, target)
    expect(indexes).toBe(2)
    expect(problems).toEqual([expect.stringMatching(/index old of app\.a: .*dropDups.*; it was built without the op/)])
    const built = target.store.find('app', 'a')?.indexes.map((one) => one.toString('latin1')) ?? []
    expect([built.length, built.some((one) => one.includes('unique'))]).toEqual([3, true])
  })

  it('puts empty timestamps back as they are, where the server knows how', async () => {
    const source = await double()
    const empty = document([
      ['_id', int32(1)],
      ['never', hex(0x11, '0000000000000000')],
    ])
    source.store.add('app', 'stamps', { documents: [empty] })
    const newer = await double()
    await restored(source, newer)
    expect(hexOf(newer, 'stamps')).toEqual(hexOf(source, 'stamps'))
    // An older one cannot: the comparison with the manifest finds it.
    const older = await double({ version: '5.0.9' })
    await restored(source, older)
    expect(hexOf(older, 'stamps')).not.toEqual(hexOf(source, 'stamps'))
  })

  it.each([
    ['8.0.1', true],
    ['7.0.13', true],
    ['7.0.12', false],
    ['7.3.20', false],
    ['6.0.17', true],
    ['5.0.28', false],
    ['4.4.29', false],
  ])('knows whether %s takes timestamps literally: %s', (version, expected) => {
    expect('bypassEmptyTsReplacement' in takesLiterally(version)).toBe(expected)
  })

  it('tells a time series that its old buckets mix types, and goes on behind those that were taken', async () => {
    const target = await double()
    const series = encode({ timeseries: { timeField: 'at' } })
    createCollection(target.store, 'app', 'series', series)
    const bucket = (_id: number, max: ReturnType<typeof int32>) =>
      document([
        ['_id', int32(_id)],
        [
          'control',
          embedded(
            document([
              ['min', embedded(document([['v', int32(1)]]))],
              ['max', embedded(document([['v', max]]))],
            ]),
          ),
        ],
      ])
    const buckets = [bucket(1, int32(2)), bucket(2, text('b')), bucket(3, text('c'))]
    await using connected = await MongoClient.connect(target.uri)
    using wire = new Wire(connected, { replies: 'short' })
    const place = { database: 'app', collection: 'system.buckets.series' }
    await rawInsert(wire, place, Buffer.concat(buckets), 3, never())
    expect(target.store.documents('app', 'system.buckets.series')).toEqual(buckets)
    const inserts = target.requests.filter(({ name }) => name === 'insert')
    expect(inserts.map(({ fields }) => 'bypassDocumentValidation' in fields)).toEqual([false, false])
  })

  it('replaces the stored functions of a database that keeps the rest', async () => {
    const [source, target] = [await double(), await double()]
    source.store.add('app', 'system.js', { documents: [encode({ _id: 'new' })] })
    target.store.add('app', 'system.js', { documents: [encode({ _id: 'old' })] })
    target.store.add('app', 'kept', { documents: [encode({ _id: 1 })] })
    const into = new Map([['app.system.js', 'app']])
    expect(await restored(source, target, { into, drop: [] })).toMatchObject({ documents: 1, problems: [] })
    expect(hexOf(target, 'system.js')).toEqual(hexOf(source, 'system.js'))
    expect(hexOf(target, 'kept')).toHaveLength(1)
    expect(target.commands).not.toContain('drop')
  })

  it('leaves out what mongodump may put beside the data: users, roles, the oplog, profiles', async () => {
    const target = await double()
    const writer = new ArchiveWriter()
    const names = [
      ['app', 'a'],
      ['app', '$admin.system.users'],
      ['app', 'system.profile'],
      ['admin', 'system.roles'],
      ['', 'oplog'],
    ] as const
    const metadata = names.map(([database, collection]) => ({
      database,
      collection,
      metadata: '{}',
      type: 'collection' as const,
    }))
    writer.prelude({ concurrentCollections: 1, serverVersion: '7.0.1', toolVersion: '100.12.2' }, metadata)
    for (const [database, collection] of names) {
      const crc = new Crc64()
      const one = encode({ _id: 1 })
      crc.update(one)
      writer.segment(database, collection, one)
      writer.end(database, collection, crc.digest())
    }
    writer.finish()
    const archive = await collect(writer.chunks())
    const outcome = await sourceOf(target.uri).restore(streamOf(archive), { signal: never() })
    expect(outcome).toMatchObject({ databases: ['app'], collections: 1, documents: 1, problems: [] })
  })
})
