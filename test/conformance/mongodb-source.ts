import type { Document } from 'mongodb'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rawInsert } from '../../agent/sources/mongodb/raw-insert.ts'
import { Wire } from '../../agent/sources/mongodb/wire/wire.ts'
import { type BackUpOptions, backUp, never, sourceOf } from '../sources/mongodb/backing-up.ts'
import { type CollectionContents, contentsOf } from '../support/contents.ts'
import { generatedDocuments } from '../support/mongodb/corpus.ts'
import { allTypesPlans } from '../support/mongodb/palette-all-types.ts'
import { loadCollections } from '../support/mongodb/palette-load.ts'
import { trapDocuments } from '../support/mongodb/traps.ts'
import { streamOf } from '../support/streams.ts'

/** Dropped and made again: a server that this suite runs against must hold nothing else under these names. */
export const SUITE_DATABASES = ['app', 'hubbledb', 'hubble_timeseriesdb'] as const

export interface SuiteServer {
  readonly uri: string
  /** Takes measurements by the name of their time series; a double takes only whole buckets. */
  readonly measures: boolean
  /** The primary becomes a secondary, at least for a while. */
  stepDown(): Promise<void>
  /** Cursors that are open now. */
  openCursors(): Promise<number>
  stop(): Promise<void>
}

/** What the MongoDB source promises, against any replica set that keeps snapshots. */
export function mongodbSourceSuite(name: string, open: () => Promise<SuiteServer>): void {
  describe(`the MongoDB source against ${name}`, () => {
    let server: SuiteServer
    let client: MongoClient
    let original: CollectionContents[]
    const backUpAll = (options: BackUpOptions = {}) => backUp(server.uri, { databases: SUITE_DATABASES, ...options })

    beforeAll(async () => {
      server = await open()
      client = await MongoClient.connect(server.uri)
      await seed(client, server.measures)
      original = await contentsOf(server.uri, SUITE_DATABASES)
    }, 120_000)

    afterAll(async () => {
      await client?.close()
      await server?.stop()
    })

    it('puts back everything as it was, and digests say so', async () => {
      const made = await backUpAll()
      expect(made.facts.consistency.level).toBe('snapshot')
      for (const database of SUITE_DATABASES) await client.db(database).dropDatabase()
      const outcome = await sourceOf(server.uri).restore(streamOf(made.archive), { signal: never() })
      expect(outcome.problems).toEqual([])
      expect(await contentsOf(server.uri, SUITE_DATABASES)).toEqual(original)
      const again = await backUpAll()
      const digests = (facts: typeof made.facts) =>
        facts.collections.map(({ collection, digest }) => [collection, digest])
      expect(digests(again.facts)).toEqual(digests(made.facts))
    }, 120_000)

    it('reads one instant: what is written during the read is not in it, and nobody is blocked', async () => {
      const events = client.db('app').collection<Document>('generated')
      const before = await events.countDocuments()
      const { facts } = await backUpAll({
        onFirstChunk: async () => {
          await events.insertOne({ late: true })
          await events.deleteOne({ _id: 1 } as Document)
        },
      })
      expect(facts.collections.find(({ collection }) => collection === 'generated')?.documents).toBe(before)
      await events.deleteOne({ late: true })
    }, 60_000)

    it('tells of a collection that comes or goes while it reads, or begins again', async () => {
      await client.db('app').createCollection('goes')
      const reading = backUpAll({
        onFirstChunk: async () => {
          await client.db('app').createCollection('comes')
          await client.db('app').dropCollection('goes')
        },
      })
      try {
        expect((await reading).warnings.join()).toMatch(/app\.goes was dropped .*app\.comes was created|comes/)
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'source_changed', retryable: true })
      }
      await client.db('app').dropCollection('comes')
    }, 60_000)

    it('ends whole or not at all when the primary steps down', async () => {
      try {
        const { facts } = await backUpAll({ onFirstChunk: () => server.stepDown() })
        expect(facts.consistency.level).toBe('snapshot')
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'source_changed', retryable: true })
      }
      expect((await backUpAll()).facts.consistency.level).toBe('snapshot')
    }, 120_000)

    it('extends the snapshot window of the member it reads and puts it back', async () => {
      const asked = { getParameter: 1, minSnapshotHistoryWindowInSeconds: 1 }
      const window = async () => (await client.db('admin').command(asked))['minSnapshotHistoryWindowInSeconds']
      const before = await window()
      await backUpAll({ extendSnapshotWindow: 3600 })
      expect(await window()).toBe(before)
    }, 60_000)

    it('leaves no cursor behind, not even when it is stopped', async () => {
      const before = await server.openCursors()
      const controller = new AbortController()
      const { signal } = controller
      const stopped = backUpAll({ signal, onFirstChunk: () => controller.abort() })
      await expect(stopped).rejects.toMatchObject({ code: 'cancelled' })
      await expect.poll(() => server.openCursors(), { timeout: 10_000 }).toBeLessThanOrEqual(before)
    }, 60_000)
  })
}

async function seed(client: MongoClient, measures: boolean): Promise<void> {
  for (const database of SUITE_DATABASES) await client.db(database).dropDatabase()
  const plans = allTypesPlans('suite')
  await loadCollections(client, measures ? plans.filter(({ into }) => into === undefined) : plans)
  if (measures) {
    const series = client.db('hubble_timeseriesdb')
    await series.createCollection('measurements', { timeseries: { timeField: 'at', metaField: 'source' } })
    const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute))
    const points = Array.from({ length: 500 }, (_, index) => ({
      at: at(index),
      source: `node-${index % 3}`,
      value: index,
    }))
    await series.collection('measurements').insertMany(points)
  }
  using wire = new Wire(client, { replies: 'short' })
  for (const [collection, documents] of [
    ['generated', generatedDocuments(1000)],
    ['traps', trapDocuments()],
  ] as const) {
    // One by one, because of the 16 MiB: a message holds 48,000,000 bytes.
    for (const part of parts(documents)) {
      const place = { database: 'app', collection }
      await rawInsert(wire, place, Buffer.concat(part), part.length, AbortSignal.timeout(60_000))
    }
  }
}

function* parts(documents: readonly Buffer[]): Generator<Buffer[]> {
  for (let at = 0; at < documents.length; at += 500) yield documents.slice(at, at + 500)
}
