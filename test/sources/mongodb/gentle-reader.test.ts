import { afterEach, describe, expect, it } from 'vitest'
import { Pace } from '../../../agent/sources/mongodb/pace.ts'
import type { Receipts } from '../../../agent/sources/source.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { encode } from '../../support/mongodb/encode.ts'
import { type MongodbDouble, type MongodbOptions, startMongodb } from '../../support/mongodb/server.ts'
import { errorOf } from '../../support/streams.ts'
import { until } from '../../support/until.ts'
import { backUp, never, sourceOf } from './backing-up.ts'

const TEXT = 'x'.repeat(4000)
/** What the driver says by itself, and what goes without a comment. */
const OF_THE_DRIVER = ['hello', 'isMaster', 'ismaster', 'endSessions', 'saslStart', 'saslContinue']
const WINDOW = 'minSnapshotHistoryWindowInSeconds'

const started: MongodbDouble[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((double) => double.stop()))
})

describe('a gentle reader', () => {
  it('comments every operation, limits its time, and leaves no cursor and no session', async () => {
    const source = await double()
    await backUp(source.uri)
    const ours = source.requests.filter(({ name }) => !OF_THE_DRIVER.includes(name))
    expect(ours.filter(({ fields }) => fields['comment'] !== 'palette-backup')).toEqual([])
    const unlimited = ours.filter(({ fields }) => fields['maxTimeMS'] === undefined).map(({ name }) => name)
    // A getMore of an ordinary cursor takes no limit of its own: it counts for that of its find.
    expect(new Set(unlimited)).toEqual(new Set(['ping', 'getMore']))
    expect([source.openCursors(), source.openSessions()]).toEqual([0, 0])
  })

  it.each(['find', 'getMore', 'listCollections', 'listIndexes', 'getParameter', 'buildInfo'])(
    'leaves no cursor and no session when %s fails',
    async (command) => {
      const source = await double()
      source.faults.fail(command, { code: 8, message: 'no luck', times: 99 })
      await errorOf(backUp(source.uri))
      expect([source.openCursors(), source.openSessions()]).toEqual([0, 0])
    },
  )

  it('stops within moments when the server does not answer, and leaves no cursor and no session', async () => {
    const source = await double()
    const controller = new AbortController()
    source.faults.stall('getMore', 3)
    source.onCommand = (name) => {
      if (name === 'getMore' && source.commands.filter((one) => one === 'getMore').length >= 2) controller.abort()
    }
    expect(await errorOf(backUp(source.uri, { signal: controller.signal }))).toMatchObject({ code: 'cancelled' })
    expect([source.openCursors(), source.openSessions()]).toEqual([0, 0])
  })

  it('leaves no cursor when its reader loses interest', async () => {
    const source = await double()
    for await (const artifact of sourceOf(source.uri).read({ signal: never() })) {
      for await (const _ of artifact.body) break
    }
    expect([source.openCursors(), source.openSessions()]).toEqual([0, 0])
  })

  it('asks for batches by bytes: large documents come few at a time', async () => {
    const source = await double()
    const large = 'x'.repeat(1_000_000)
    source.store.add('app', 'large', { documents: Array.from({ length: 8 }, (_, _id) => encode({ _id, large })) })
    await backUp(source.uri)
    const asked = source.requests
      .filter(({ name, collection }) => ['find', 'getMore'].includes(name) && collection === 'large')
      .filter(({ fields }) => fields['limit'] !== 1)
      .map(({ fields }) => Number(fields['batchSize']))
    expect(Math.max(...asked)).toBeLessThanOrEqual(2)
  })

  it('keeps its session alive while a location stalls', async () => {
    const source = await double()
    const clock = new FakeClock()
    let refreshed = false
    await backUp(source.uri, {
      clock,
      // A snapshot would be given up for such a stall.
      withoutSnapshot: 'the location stalls',
      async onFirstChunk() {
        await until('a refresh', 10_000, async () => {
          await clock.advance(60_000)
          refreshed = source.commands.includes('refreshSessions')
          return refreshed
        })
      },
    })
    expect(refreshed).toBe(true)
    const finds = source.requests.filter(({ name, fields }) => name === 'find' && fields['limit'] !== 1)
    expect(finds.every(({ fields }) => fields['noCursorTimeout'] === true)).toBe(true)
  })
})

describe('the pace', () => {
  it('spreads bytes over time, and does not save time up', async () => {
    const clock = new FakeClock()
    const pace = new Pace(1000, clock)
    expect([pace.batchBytes(4000), new Pace(undefined, clock).batchBytes(4000)]).toEqual([125, 4000])
    await clock.advance(60_000)
    let done = 0
    const spend = async (bytes: number): Promise<void> => {
      await pace.spend(bytes, never())
      done += 1
    }
    const spending = [500, 500, 500].map(spend)
    await clock.advance(499)
    expect(done).toBe(0)
    await clock.advance(1)
    expect(done).toBe(1)
    await clock.advance(1000)
    expect(done).toBe(3)
    await Promise.all(spending)
  })

  it('limits the reading of all collections together', async () => {
    const source = await double()
    const begin = performance.now()
    const { facts } = await backUp(source.uri, { maxBytesPerSecond: 8_000_000 })
    const bytes = facts.collections.reduce((sum, one) => sum + one.bytes, 0)
    // The last batches need not be waited for.
    expect(performance.now() - begin).toBeGreaterThan((bytes / 8_000_000) * 1000 * 0.6)
  })
})

describe('the snapshot window', () => {
  it('is left alone unless asked for', async () => {
    const source = await double()
    await backUp(source.uri)
    expect(source.commands).not.toContain('setParameter')
  })

  it('is extended for the time of the reading, on record, and put back', async () => {
    const source = await double()
    const record = new Record()
    let during = 0
    await backUp(source.uri, {
      ...{ extendSnapshotWindow: 3600, receipts: record },
      onFirstChunk: () => {
        during = source.store.historySeconds
        expect(record.texts).toEqual([expect.stringContaining('"was":300,"set":3600')])
      },
    })
    expect([during, source.store.historySeconds, record.texts]).toEqual([3600, 300, []])
  })

  it('is put back when the reading fails or is stopped', async () => {
    const source = await double()
    source.faults.fail('getMore', { code: 8, times: 99 })
    expect(await errorOf(backUp(source.uri, { extendSnapshotWindow: 3600 }))).toMatchObject({ name: 'Failure' })
    expect(source.store.historySeconds).toBe(300)
    source.faults.clear()
    const controller = new AbortController()
    const { signal } = controller
    await errorOf(backUp(source.uri, { extendSnapshotWindow: 3600, signal, onFirstChunk: () => controller.abort() }))
    expect(source.store.historySeconds).toBe(300)
  })

  it('is put back by another run after a crash, unless somebody changed it since', async () => {
    const source = await double()
    const record = new Record()
    source.faults.fail('setParameter', { nth: 2, times: 99, code: 8 })
    await backUp(source.uri, { extendSnapshotWindow: 3600, receipts: record })
    expect([source.store.historySeconds, record.texts.length]).toEqual([3600, 1])
    source.faults.clear()
    await sourceOf(source.uri).release?.(record.texts[0] ?? '', { signal: never() })
    expect(source.store.historySeconds).toBe(300)
    source.store.historySeconds = 1234
    await sourceOf(source.uri).release?.(record.texts[0] ?? '', { signal: never() })
    expect(source.store.historySeconds).toBe(1234)
  })

  it('is not shortened where the member keeps more', async () => {
    const source = await double()
    source.store.historySeconds = 7200
    await backUp(source.uri, { extendSnapshotWindow: 3600 })
    expect(source.store.historySeconds).toBe(7200)
  })

  it('is what it was, and that is told, where the user may not set it', async () => {
    const source = await double()
    source.faults.fail('setParameter', { code: 13, message: 'not authorized on admin', times: 99 })
    const { warnings, facts } = await backUp(source.uri, { extendSnapshotWindow: 3600 })
    expect(warnings).toEqual([expect.stringMatching(/extending the snapshot window of 127.0.0.1:\d+: not authorized/)])
    expect(facts.consistency.level).toBe('snapshot')
  })

  it('stays untouched where it cannot be put on record first', async () => {
    const source = await double()
    const receipts = { add: () => Promise.reject(new Error('no location')), remove: () => Promise.resolve() }
    const { warnings } = await backUp(source.uri, { extendSnapshotWindow: 3600, receipts })
    expect(warnings).toEqual([expect.stringContaining('no location')])
    expect(source.requests.some(({ fields }) => 'setParameter' in fields && WINDOW in fields)).toBe(false)
  })
})

class Record implements Receipts {
  readonly texts: string[] = []

  async add(receipt: string): Promise<void> {
    this.texts.push(receipt)
  }

  async remove(receipt: string): Promise<void> {
    this.texts.splice(this.texts.indexOf(receipt), 1)
  }
}

async function double(options: MongodbOptions = {}): Promise<MongodbDouble> {
  const one = await startMongodb(options)
  started.push(one)
  for (const name of ['first', 'second']) {
    one.store.add('app', name, { documents: Array.from({ length: 2000 }, (_, _id) => encode({ _id, text: TEXT })) })
  }
  return one
}
