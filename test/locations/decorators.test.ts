import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import { KIB, SECOND_MS } from '../../agent/core/units.ts'
import { bounded } from '../../agent/locations/bounded.ts'
import { replayable } from '../../agent/locations/location.ts'
import { metered } from '../../agent/locations/metered.ts'
import { openLocation } from '../../agent/locations/open-location.ts'
import { createRetry } from '../../agent/locations/retry.ts'
import { retrying } from '../../agent/locations/retrying.ts'
import { throttled } from '../../agent/locations/throttled.ts'
import { locationConformance } from '../conformance/location.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'

const live = () => ({ signal: new AbortController().signal })
const RATE = 64 * KIB

locationConformance('filesystem, with every decorator', async () => {
  const path = await mkdtemp(join(tmpdir(), 'palette-backup-decorated-'))
  const config = { name: 'disk', storageProvider: 'filesystem', folder: '', validate: true, path } as const
  const location = await openLocation({ ...config, maxBytesPerSecond: 1024 ** 3 }, { clock: systemClock })
  return { location, cleanUp: () => rm(path, { recursive: true }) }
})

describe('a limit of bytes per second', () => {
  it.each([
    ['large chunks', 40 * RATE],
    ['small chunks', 1000],
  ])('is kept to while a body in %s is stored', async (_what, size) => {
    const clock = new FakeClock()
    const memory = new MemoryLocation('slow')
    const body = Buffer.alloc(10 * RATE, 'x')
    const putting = throttled(memory, { clock, bytesPerSecond: RATE }).put('key', sliced(body, size), live())
    await advance(clock, 9 * SECOND_MS)
    expect(memory.keys).toEqual([])
    await advance(clock, SECOND_MS)
    expect(await putting).toEqual({ sizeBytes: body.length })
    expect(memory.objects.get('key')?.equals(body)).toBe(true)
  })

  it('is shared by everything that is read at once, and apart from what is written', async () => {
    const clock = new FakeClock()
    const memory = new MemoryLocation('slow')
    memory.objects.set('key', Buffer.alloc(4 * RATE, 'x'))
    const location = throttled(memory, { clock, bytesPerSecond: RATE })
    let done = 0
    const reading = [1, 2].map(async () => {
      await collect(location.get('key', live()))
      done += 1
    })
    const writing = location.put('other', streamOf(Buffer.alloc(4 * RATE)), live())
    await advance(clock, 4 * SECOND_MS)
    await writing
    await advance(clock, 3 * SECOND_MS)
    expect(done).toBe(0)
    await advance(clock, SECOND_MS)
    await Promise.all(reading)
  })

  it('does not save up what was not used', async () => {
    const clock = new FakeClock()
    const memory = new MemoryLocation('slow')
    const location = throttled(memory, { clock, bytesPerSecond: RATE })
    await clock.advance(3600 * SECOND_MS)
    const putting = location.put('key', streamOf(Buffer.alloc(10 * RATE)), live())
    await advance(clock, 9 * SECOND_MS)
    expect(memory.keys).toEqual([])
    await advance(clock, SECOND_MS)
    await putting
  })

  it('does not hold up an abort', async () => {
    const clock = new FakeClock()
    const memory = new MemoryLocation('slow')
    const controller = new AbortController()
    const location = throttled(memory, { clock, bytesPerSecond: RATE })
    const putting = errorOf(location.put('key', streamOf(Buffer.alloc(10 * RATE)), { signal: controller.signal }))
    await advance(clock, SECOND_MS)
    controller.abort()
    expect(await putting).toBeInstanceOf(Error)
    expect(clock.sleepers).toBe(0)
  })
})

describe('a bound of operations at once', () => {
  it('lets no more run, and the others in their order', async () => {
    const memory = new MemoryLocation('busy')
    const location = bounded(memory, 2)
    let running = 0
    let most = 0
    const order: number[] = []
    const putOne = async (index: number): Promise<void> => {
      async function* body() {
        order.push(index)
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setImmediate(resolve))
        yield Buffer.from('x')
        running -= 1
      }
      await location.put(`key-${index}`, body(), live())
    }
    await Promise.all([0, 1, 2, 3, 4, 5].map(putOne))
    expect(most).toBe(2)
    expect(order).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('gives the place of a download back when it is left early or fails', async () => {
    const memory = new MemoryLocation('busy')
    memory.objects.set('key', Buffer.alloc(5000))
    const location = bounded(memory, 1)
    for await (const _ of location.get('key', live())) break
    expect(await errorOf(collect(location.get('none', live())))).toMatchObject({ code: 'not_found' })
    expect((await collect(location.get('key', live()))).length).toBe(5000)
  })

  it('lets who is aborted while waiting go, and keeps no place for him', async () => {
    const memory = new MemoryLocation('busy')
    const location = bounded(memory, 1)
    const open = Promise.withResolvers<void>()
    async function* body() {
      await open.promise
      yield Buffer.from('x')
    }
    const first = location.put('first', body(), live())
    const controller = new AbortController()
    const second = errorOf(location.put('second', streamOf(Buffer.from('x')), { signal: controller.signal }))
    controller.abort()
    expect(await second).toBeInstanceOf(Error)
    open.resolve()
    await first
    await location.put('third', streamOf(Buffer.from('x')), live())
    expect(memory.keys).toEqual(['first', 'third'])
  })
})

describe('a meter', () => {
  it('counts every try, what moved, and why something failed', async () => {
    const memory = new MemoryLocation('counted')
    const { location: counted, meter } = metered(memory)
    const retry = createRetry({ clock: systemClock, attempts: 3, baseMs: 1 })
    const location = retrying(counted, retry)
    let refusals = 2
    memory.fault = (operation) => {
      if (operation !== 'put' || refusals === 0) return
      refusals -= 1
      throw new Failure('busy', { code: 'unavailable', retryable: true })
    }
    await location.put('key', replayable(Buffer.alloc(300)), live())
    await collect(location.get('key', live()))
    await location.list('', live())
    await errorOf(collect(location.get('none', live())))
    expect(meter.take()).toEqual({
      operations: { put: 3, get: 2, list: 1 },
      errors: { unavailable: 2 },
      sentBytes: 300,
      receivedBytes: 300,
    })
    expect(meter.take()).toEqual({ operations: {}, errors: {}, sentBytes: 0, receivedBytes: 0 })
  })

  it('is told when the location is closed', async () => {
    const path = await mkdtemp(join(tmpdir(), 'palette-backup-metered-'))
    const config = { name: 'disk', storageProvider: 'filesystem', folder: '', validate: true, path } as const
    const told: unknown[] = []
    const location = await openLocation(config, { clock: systemClock, onUsage: (...usage) => told.push(usage) })
    await location.put('key', streamOf(Buffer.from('four')), live())
    await location.close()
    expect(told).toEqual([['disk', { operations: { put: 1 }, errors: {}, sentBytes: 4, receivedBytes: 0 }]])
    await rm(path, { recursive: true })
  })
})

describe('retries', () => {
  it('wait at least half of a time that doubles, and give up in the end', async () => {
    const clock = new FakeClock()
    const retry = createRetry({ clock, attempts: 7, random: () => 0 })
    let tries = 0
    const failing = errorOf(
      retry(async () => {
        tries += 1
        throw new Failure('busy', { code: 'unavailable', retryable: true })
      }, live().signal),
    )
    await clock.advance(15_000)
    expect(tries).toBe(6)
    await clock.advance(250)
    expect(tries).toBe(7)
    expect(await failing).toMatchObject({ message: 'busy' })
  })
})

/** In steps shorter than any piece takes, so that who wakes can fall asleep again. */
async function advance(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 25) await clock.advance(25)
}
