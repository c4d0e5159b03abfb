import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../agent/core/clock.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { createMongodbSource } from '../../../agent/sources/mongodb/mongodb-source.ts'
import type { MongodbFacts } from '../../../agent/sources/source.ts'
import { contentsOf } from '../../support/contents.ts'
import { paletteCollections } from '../../support/mongodb/palette-data.ts'
import { seedStore } from '../../support/mongodb/palette-load.ts'
import { type MongodbDouble, type MongodbOptions, startMongodb } from '../../support/mongodb/server.ts'
import { collect, errorOf, sliced, streamOf } from '../../support/streams.ts'

const DATABASES = ['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb']
const doubles: MongodbDouble[] = []

afterEach(async () => {
  await Promise.all(doubles.splice(0).map((double) => double.stop()))
})

describe('the MongoDB source', () => {
  it('puts back every document of every type as the bytes it was, with options, indexes and views', async () => {
    const source = await double()
    seedStore(source.store, paletteCollections({ bytes: 12_000_000, allTypes: true, largestDocument: 5_000_000 }))
    const before = await contentsOf(source.uri, DATABASES)
    const { archive, facts } = await backUp(source.uri)
    expect(facts.consistency).toMatchObject({ level: 'snapshot' })
    const visible = before.filter(({ name }) => !name.includes('.system.buckets.'))
    expect(facts.collections.map(({ database, collection }) => `${database}.${collection}`)).toEqual(
      visible.map(({ name }) => name),
    )
    const target = await double()
    const outcome = await sourceOf(target.uri).restore(sliced(archive, 70_000), { signal: never() })
    expect(outcome).toMatchObject({ problems: [], collections: visible.length })
    expect(await contentsOf(target.uri, DATABASES)).toEqual(before)
    expect(source.openCursors()).toBe(0)
  })

  it('inspects what it wrote: the same counts and checksums', async () => {
    const source = await seeded()
    const { archive, facts } = await backUp(source.uri)
    const found = await sourceOf(source.uri).inspect(streamOf(archive), { signal: never() })
    if (found.source !== 'mongodb') throw new Error(found.source)
    const sorted = (list: MongodbFacts['collections']) => list.map((one) => JSON.stringify(one)).sort()
    expect(sorted(found.collections)).toEqual(sorted(facts.collections))
  })

  it('reads one instant: what is written during the read is not in it', async () => {
    const source = await seeded()
    const before = await contentsOf(source.uri, ['hubbledb'])
    const { archive } = await backUp(source.uri, {
      databases: ['hubbledb'],
      onFirstChunk: () => source.store.insert(eventsOf(source), [Buffer.from('0500000000', 'hex')]),
    })
    const target = await double()
    await sourceOf(target.uri).restore(streamOf(archive), { signal: never() })
    expect(await contentsOf(target.uri, ['hubbledb'])).toEqual(before)
  })

  it('says that there is no instant when the server only pretends to give one', async () => {
    const source = await seeded({ snapshotReads: false })
    const { facts } = await backUp(source.uri)
    expect(facts.consistency).toMatchObject({ level: 'none', reason: expect.stringContaining('named no cluster time') })
  })

  it('says that there is no instant on a standalone', async () => {
    const source = await seeded({ standalone: true })
    const { facts } = await backUp(source.uri)
    expect(facts.consistency).toMatchObject({
      level: 'none',
      reason: expect.stringContaining('refuses snapshot reads'),
    })
  })

  it('refuses a database that does not exist and names those that do', async () => {
    const source = await seeded()
    expect(await errorOf(backUp(source.uri, { databases: ['hubledb'] }))).toMatchObject({
      code: 'not_found',
      message: 'backing up MongoDB: there is no database named hubledb',
      hint: expect.stringContaining('hubbledb'),
    })
  })

  it('names a wrong password without printing it', async () => {
    const source = await double({ auth: { username: 'root', password: 'right-one' } })
    const uri = source.uri.replace('right-one', 'wrong-one')
    const error = await errorOf(backUp(uri))
    expect(error).toMatchObject({ code: 'auth', hint: expect.stringContaining('authSource') })
    expect(String(error) + JSON.stringify(error)).not.toContain('wrong-one')
  })

  it('prints nothing of a connection string it cannot read', async () => {
    for (const uri of [
      'mongodb://root:hunter2/x@host:1/',
      'mongodb://root:hunter2@host:hunter2/',
      'mongodb://root:hunter2?@host/?a=hunter2',
    ]) {
      const error = await errorOf(backUp(uri))
      expect(error, uri).toMatchObject({ code: 'config', message: expect.stringContaining('malformed') })
      expect(inspect(error, { depth: 5 })).not.toContain('hunter2')
    }
  })

  it('names a server that is not there', async () => {
    const { uri, stop } = await startMongodb()
    await stop()
    const source = sourceOf(`${uri}&serverSelectionTimeoutMS=300`)
    const read = async () => {
      for await (const _ of source.read({ signal: never() }));
    }
    expect(await errorOf(read())).toMatchObject({ code: 'unreachable', retryable: true })
  })

  it('fails when a connection breaks in the middle, and leaves no cursor', async () => {
    const source = await seeded()
    source.faults.closeAt(3)
    expect(await errorOf(backUp(source.uri))).toMatchObject({ code: 'source_changed', retryable: true })
    expect([source.openCursors(), source.openSessions()]).toEqual([0, 0])
  })

  it('tells a lost snapshot apart, so that the run can begin again without one', async () => {
    const source = await seeded()
    source.faults.snapshotTooOld(2)
    expect(await errorOf(backUp(source.uri))).toMatchObject({ code: 'snapshot_lost', retryable: true })
  })

  it('stops at once when it is aborted', async () => {
    const source = await seeded()
    const controller = new AbortController()
    const reading = backUp(source.uri, { signal: controller.signal, onFirstChunk: () => controller.abort() })
    expect(await errorOf(reading)).toMatchObject({ code: 'cancelled' })
    expect([source.openCursors(), source.openSessions()]).toEqual([0, 0])
  })
})

async function double(options: MongodbOptions = {}): Promise<MongodbDouble> {
  const started = await startMongodb(options)
  doubles.push(started)
  return started
}

async function seeded(options: MongodbOptions = {}): Promise<MongodbDouble> {
  const started = await double(options)
  seedStore(started.store, paletteCollections({ bytes: 10_000_000 }))
  return started
}

function eventsOf(source: MongodbDouble) {
  return source.store.ensure('hubbledb', 'events')
}

function sourceOf(uri: string, databases: readonly string[] = DATABASES) {
  return createMongodbSource({ mongodb: { uri: new Secret(uri) }, databases, toolVersion: '0.1.0', clock: systemClock })
}

interface BackUpOptions {
  readonly databases?: readonly string[]
  readonly signal?: AbortSignal
  readonly onFirstChunk?: () => void
}

async function backUp(uri: string, { databases, signal = never(), onFirstChunk }: BackUpOptions = {}) {
  for await (const artifact of sourceOf(uri, databases).read({ signal })) {
    async function* observed() {
      for await (const chunk of artifact.body) {
        onFirstChunk?.()
        onFirstChunk = undefined
        yield chunk
      }
    }
    return { archive: await collect(observed()), facts: artifact.facts() }
  }
  throw new Error('there was no artifact')
}

function never(): AbortSignal {
  return new AbortController().signal
}
