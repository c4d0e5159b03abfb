import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rawInsert } from '../../agent/sources/mongodb/raw-insert.ts'
import { Wire } from '../../agent/sources/mongodb/wire/wire.ts'
import { backUp, never, sourceOf } from '../sources/mongodb/backing-up.ts'
import { type CollectionContents, contentsOf } from '../support/contents.ts'
import { array, binary, document, embedded, hex, int32, text, type Value } from '../support/mongodb/corpus.ts'
import { streamOf } from '../support/streams.ts'
import { type Backend, type FerretDb, startFerretDb } from './servers/ferretdb.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)
const DATABASES = ['app', 'other']
const GENERATED = 1000

/** A server that we did not write, with what it takes of BSON: it goes out and comes back by every way there is. */
describe.each<Backend>(['SQLite', 'PostgreSQL'])('FerretDB over %s', (backend) => {
  describe.skipIf(peersMissing('ferretdb', 'postgres', 'initdb', 'mongodump', 'mongorestore'))('and back', () => {
    let folder: string
    let server: FerretDb
    let original: CollectionContents[]

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'palette-backup-ferretdb-'))
      server = await startFerretDb({ backend })
      await seed(server.uri)
      original = await contentsOf(server.uri, DATABASES)
    })

    afterAll(async () => {
      await server?.stop()
      if (folder) await rm(folder, { recursive: true, force: true })
    })

    it('has every byte and every index through our backup and our restore', async () => {
      expect(original.map(({ name, documents }) => [name, documents])).toEqual([
        ['app.empty', 0],
        ['app.generated', GENERATED],
        ['app.indexed', 20],
        ['other.large', 3],
      ])
      const { archive, facts } = await backUp(server.uri, { databases: DATABASES })
      expect(facts.consistency).toMatchObject({ level: 'none', reason: expect.stringContaining('no cluster time') })
      await using target = await startFerretDb({ backend })
      const outcome = await sourceOf(target.uri).restore(streamOf(archive), { signal: never() })
      expect(outcome).toMatchObject({ problems: [], documents: GENERATED + 23 })
      expect(await contentsOf(target.uri, DATABASES)).toEqual(original)
      const again = await backUp(target.uri, { databases: DATABASES })
      const digests = ({ collections }: typeof facts) =>
        collections.map(({ collection, digest }) => [collection, digest])
      expect(digests(again.facts)).toEqual(digests(facts))
    })

    it('has them through our backup and stock mongorestore', async () => {
      const { archive } = await backUp(server.uri, { databases: DATABASES })
      const file = join(folder, 'ours.archive')
      await writeFile(file, archive)
      await using target = await startFerretDb({ backend })
      // It gives every index its namespace, as old servers did, which FerretDB refuses.
      const args = ['--uri', target.uri, `--archive=${file}`, '--noIndexRestore']
      const { stderr } = await run(peerBinary('mongorestore'), args)
      expect(stderr).toContain(`${GENERATED + 23} document(s) restored successfully. 0 document(s) failed`)
      const restored = await contentsOf(target.uri, DATABASES)
      expect(restored.map(withoutIndexes)).toEqual(original.map(withoutIndexes))
    })

    it.each([
      ['plain', []],
      ['gzip', ['--gzip']],
    ])('has them through stock mongodump and our restore: %s', async (name, flags) => {
      const file = join(folder, `stock.${name}`)
      await run(peerBinary('mongodump'), ['--quiet', '--uri', server.uri, `--archive=${file}`, ...flags])
      await using target = await startFerretDb({ backend })
      const outcome = await sourceOf(target.uri).restore(createReadStream(file), { signal: never() })
      expect(outcome).toMatchObject({ problems: [], documents: GENERATED + 23 })
      expect(await contentsOf(target.uri, DATABASES)).toEqual(original)
    })
  })
})

function withoutIndexes({ indexes: _, ...rest }: CollectionContents) {
  return rest
}

async function seed(uri: string): Promise<void> {
  await using client = await MongoClient.connect(uri)
  const app = client.db('app')
  const bodies = fc.sample(fc.uniqueArray(fc.tuple(name(), value(3)), { maxLength: 8, selector: ([key]) => key }), {
    numRuns: GENERATED,
    seed: 20_261_125,
  })
  const documents = bodies.map((body, index) => document([['_id', int32(index)], ...body]))
  using wire = new Wire(client, { replies: 'short' })
  const place = { database: 'app', collection: 'generated' }
  await rawInsert(wire, place, Buffer.concat(documents), documents.length, AbortSignal.timeout(60_000))
  await app.createCollection('empty')
  await app.collection('indexed').insertMany(Array.from({ length: 20 }, (_, index) => ({ a: index, b: String(index) })))
  await app.collection('indexed').createIndex({ a: 1, b: -1 }, { name: 'both' })
  await app.collection('indexed').createIndex({ b: 1 }, { unique: true, name: 'unique' })
  const large = Array.from({ length: 3 }, (_, index) => ({ index, text: 'ü'.repeat(2_000_000) }))
  await client.db('other').collection<{ index: number }>('large').insertMany(large)
}

/** What FerretDB 1 takes (its documentation, "Supported data types"; tried). Keys: no dot, no dollar, none twice. */
function value(depth: number): fc.Arbitrary<Value> {
  const bytesOf = (type: number, length: number): fc.Arbitrary<Value> =>
    fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ type, bytes: Buffer.from(bytes) }))
  const scalar = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => {
      const bytes = Buffer.alloc(8)
      // It keeps no negative zero.
      bytes.writeDoubleLE(number === 0 ? 0 : number)
      return { type: 0x01, bytes }
    }),
    fc.string({ unit: 'grapheme', maxLength: 40 }).map((one) => text(one.replaceAll('\0', ''))),
    fc.uint8Array({ minLength: 0, maxLength: 40 }).map((bytes) => binary(0, Buffer.from(bytes))),
    bytesOf(0x07, 12),
    fc.constantFrom('00', '01').map((bit) => hex(0x08, bit)),
    fc.integer({ min: 0, max: 4_000_000_000_000 }).map((ms) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(BigInt(ms))
      return { type: 0x09, bytes }
    }),
    fc.constant(hex(0x0a, '')),
    bytesOf(0x10, 4),
    bytesOf(0x12, 8),
  )
  if (depth === 0) return scalar
  const body = fc
    .uniqueArray(fc.tuple(name(), value(depth - 1)), { maxLength: 4, selector: ([key]) => key })
    .map((fields) => embedded(document(fields)))
  const list = fc
    .array(scalar, { maxLength: 5 })
    .map((values) => array(document(values.map((one, index) => [String(index), one] as const))))
  return fc.oneof({ weight: 6, arbitrary: scalar }, { weight: 1, arbitrary: body }, { weight: 1, arbitrary: list })
}

function name(): fc.Arbitrary<string> {
  const odd = ['__proto__', 'constructor', '0', '10', '2', '01', ' ', 'é', '日本', 'toBSON']
  return fc.oneof(fc.constantFrom(...odd), fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_-]{0,9}$/))
}
