import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backUp, never, sourceOf } from '../sources/mongodb/backing-up.ts'
import { type CollectionContents, contentsOf } from '../support/contents.ts'
import { generatedDocuments } from '../support/mongodb/corpus.ts'
import { seedOddCollections } from '../support/mongodb/odd-collections.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { seedStore } from '../support/mongodb/palette-load.ts'
import { type MongodbDouble, startMongodb } from '../support/mongodb/server.ts'
import { trapDocuments } from '../support/mongodb/traps.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)
const ROOM = { maxBuffer: 64 * 1024 * 1024 }
const DATABASES = ['app', 'hubbledb', 'hubble_timeseriesdb']
const GENERATED = 3000

/** The tools that come with MongoDB read what we write and write what we read, to the last bit. */
describe.skipIf(peersMissing('mongodump', 'mongorestore', 'bsondump'))('stock tools and ours', () => {
  let source: MongodbDouble
  let folder: string
  let original: CollectionContents[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'palette-backup-fidelity-'))
    source = await startMongodb()
    source.store.add('app', 'generated', { documents: generatedDocuments(GENERATED) })
    source.store.add('app', 'traps', { documents: trapDocuments() })
    seedOddCollections(source.store, 'app')
    seedStore(source.store, paletteCollections({ bytes: 20_000_000, allTypes: true }))
    original = await contents(source.uri)
  })

  afterAll(async () => {
    await source?.stop()
    if (folder) await rm(folder, { recursive: true, force: true })
  })

  it('mongorestore puts back what we archived', async () => {
    const { archive } = await backUp(source.uri, { databases: DATABASES })
    const file = join(folder, 'ours.archive')
    await writeFile(file, archive)
    await using target = await startMongodb()
    const { stderr } = await run(peerBinary('mongorestore'), ['--uri', target.uri, `--archive=${file}`], ROOM)
    expect(stderr).toMatch(/ 0 document\(s\) failed to restore/)
    expect(await contents(target.uri)).toEqual(original)
  })

  it.each([
    ['plain', []],
    ['gzip', ['--gzip']],
  ])('we put back what mongodump archived: %s', async (name, flags) => {
    const file = join(folder, `stock.${name}`)
    // The stock tool takes one database or all of them; the server's own are not put back by us.
    await run(peerBinary('mongodump'), ['--quiet', '--uri', source.uri, `--archive=${file}`, ...flags], ROOM)
    await using target = await startMongodb()
    const outcome = await sourceOf(target.uri).restore(createReadStream(file), { signal: never() })
    expect(outcome.problems).toEqual([])
    // The stock tool leaves out every name with a dollar sign.
    expect(await contents(target.uri)).toEqual(original.filter(({ name }) => !name.includes('$')))
  })

  it('bsondump reads every document', async () => {
    for (const collection of ['generated', 'traps']) {
      const file = join(folder, `${collection}.bson`)
      const documents = source.store.documents('app', collection)
      await writeFile(file, Buffer.concat(documents))
      const { stderr } = await run(peerBinary('bsondump'), ['--outFile', join(folder, 'out.json'), file], ROOM)
      expect(stderr).toContain(`${documents.length} objects found`)
    }
  })
})

/** The stock tool keeps the options of an index in Go maps, so their order, at any depth, is by chance; that of the key is kept. */
async function contents(uri: string): Promise<CollectionContents[]> {
  const found = await contentsOf(uri, DATABASES)
  return found.map((one) => ({ ...one, indexes: one.indexes.map(withOptionsInOrder).sort() }))
}

function withOptionsInOrder(index: string): string {
  const { key, ...options }: Record<string, unknown> = JSON.parse(index)
  return JSON.stringify([Object.entries(key ?? {}), inOrder(options)])
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (value === null || typeof value !== 'object') return value
  return Object.entries(value)
    .map(([name, field]) => [name, inOrder(field)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}
