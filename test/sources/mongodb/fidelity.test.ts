import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contentsOf } from '../../support/contents.ts'
import { generatedDocuments } from '../../support/mongodb/corpus.ts'
import { oddNames, seedOddCollections } from '../../support/mongodb/odd-collections.ts'
import { paletteCollections } from '../../support/mongodb/palette-data.ts'
import { seedStore } from '../../support/mongodb/palette-load.ts'
import { type MongodbDouble, startMongodb } from '../../support/mongodb/server.ts'
import type { Store } from '../../support/mongodb/store.ts'
import { trapDocuments } from '../../support/mongodb/traps.ts'
import { sliced } from '../../support/streams.ts'
import { type BackedUp, backUp, never, sourceOf } from './backing-up.ts'

const DATABASES = ['app', 'hubbledb', 'hubble_timeseriesdb']
const GENERATED = 3000

describe('what was backed up and is put back', () => {
  let source: MongodbDouble
  let target: MongodbDouble
  let made: BackedUp

  beforeAll(async () => {
    source = await startMongodb()
    target = await startMongodb()
    source.store.add('app', 'generated', { documents: generatedDocuments(GENERATED) })
    source.store.add('app', 'traps', { documents: trapDocuments() })
    seedOddCollections(source.store, 'app')
    seedStore(source.store, paletteCollections({ bytes: 1_000_000, allTypes: true }))
    made = await backUp(source.uri, { databases: DATABASES })
    const outcome = await sourceOf(target.uri).restore(sliced(made.archive, 65_537), { signal: never() })
    expect(outcome.problems).toEqual([])
  }, 120_000)

  afterAll(async () => {
    await source?.stop()
    await target?.stop()
  })

  it('has every byte of 3,000 generated documents and of every trap', () => {
    expect(documents(source.store, 'generated')).toHaveLength(GENERATED)
    for (const collection of ['generated', 'traps']) {
      expect(documents(target.store, collection)).toEqual(documents(source.store, collection))
    }
  })

  it('has every collection with its options and indexes, to the order of their fields', () => {
    for (const database of DATABASES) {
      expect(definitions(target.store, database)).toEqual(definitions(source.store, database))
    }
  })

  it('has the names that are hard to carry', () => {
    const names = new Set(target.store.collections('app').map(({ name }) => name))
    for (const name of oddNames('app')) expect(names).toContain(name)
    expect(names).toContain('empty')
  })

  it('has of system collections what is data, and nothing else', () => {
    const names = made.facts.collections.map(({ collection }) => collection)
    expect(names.filter((name) => name.startsWith('system.'))).toEqual(['system.js'])
    expect(made.facts.databases).not.toContain('admin')
  })

  it('comes back as counted and digested, whoever counts', async () => {
    const again = await backUp(target.uri, { databases: DATABASES })
    const facts = ({ facts: { collections } }: BackedUp) =>
      collections.map(({ database, collection, documents: count, digest }) => ({ database, collection, count, digest }))
    expect(facts(again)).toEqual(facts(made))
  })

  it('may come in a gzip, as mongodump --gzip makes it', async () => {
    await using other = await startMongodb()
    await sourceOf(other.uri).restore(sliced(gzipSync(made.archive, { level: 1 }), 65_537), { signal: never() })
    expect(await contentsOf(other.uri, DATABASES)).toEqual(await contentsOf(source.uri, DATABASES))
  })
})

/** One SHA-256 for each document, sorted: a runner that compares 16 MiB element by element needs gigabytes. */
function documents(store: Store, collection: string): readonly string[] {
  const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
  return store.documents('app', collection).map(sha256).sort()
}

function definitions(store: Store, database: string) {
  return store
    .collections(database)
    .filter(({ name }) => !name.startsWith('system.profile'))
    .map(({ name, type, options, indexes }) => ({
      name,
      type,
      options: options.toString('latin1'),
      indexes: indexes.map((index) => index.toString('latin1')).sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
