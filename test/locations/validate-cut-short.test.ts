import { describe, expect, it } from 'vitest'
import { Failure } from '../../agent/core/errors.ts'
import type { ValidateStep } from '../../agent/core/events.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import type { Location } from '../../agent/locations/location.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { errorOf, streamOf } from '../support/streams.ts'
import { live, validate } from './validating.ts'

describe('validateLocation', () => {
  it('rejects when it is aborted, and still removes what it wrote', async () => {
    const memory = new MemoryLocation('disk')
    const controller = new AbortController()
    const onStep = ({ name }: ValidateStep) => void (name === 'write' && controller.abort())
    const error = await errorOf(validate(memory, { signal: controller.signal, onStep }))
    expect(error).toMatchObject({ name: 'Failure', code: 'cancelled' })
    expect(memory.keys).toEqual([])
  })

  it('does not wait for ever for the removal', async () => {
    const memory = new MemoryLocation('disk')
    const clock = new FakeClock()
    memory.fault = (operation) => {
      if (operation === 'stat') throw new Failure('looking up: no answer', { code: 'unreachable' })
    }
    const stuck: Location['delete'] = (_key, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const location = new Proxy<Location>(memory, {
      get: (target, name) => (name === 'delete' ? stuck : Reflect.get(target, name)),
    })
    const result = validate(location, { clock })
    await clock.advance(60_000)
    expect((await result).steps.map(({ name, failure }) => [name, failure?.code])).toEqual([
      ['write', undefined],
      ['look up', 'unreachable'],
      ['clean up', 'unreachable'],
    ])
  })

  it('removes what a killed validation left a day ago, and nothing else', async () => {
    const memory = new MemoryLocation('disk')
    const clock = new FakeClock()
    const left = async (agoMs: number, name = `${clock.now().getTime() - agoMs}-0123456789ab`) => {
      const key = `prod/.validate/${name}`
      await memory.put(key, streamOf(Buffer.from('x')), live())
      return key
    }
    await left(2 * DAY_MS)
    const kept = [await left(1000), await left(0, 'notes.txt'), await left(0, 'old/1600000000000-0123456789ab')]
    const { ok, steps } = await validate(memory, { clock })
    expect(ok).toBe(true)
    expect(steps.find(({ name }) => name === 'list')?.detail).toBe('1 left by earlier validations removed')
    expect(memory.keys).toEqual(kept.sort())
  })

  it('discards the upload that a killed validation had begun', async () => {
    const memory = new MemoryLocation('disk')
    const clock = new FakeClock()
    const old = `prod/.validate/${clock.now().getTime() - 2 * DAY_MS}-0123456789ab`
    const leftover = { key: `${old}.large`, handle: 'upload-7' }
    await memory.put(`${old}.leftover`, streamOf(Buffer.from(JSON.stringify(leftover))), live())
    const foreign = `prod/.validate/${clock.now().getTime() - 2 * DAY_MS}-0123456789ac.leftover`
    await memory.put(foreign, streamOf(Buffer.from('{"key":"prod/nightly/x","handle":"upload-8"}')), live())
    expect(await validate(memory, { clock })).toMatchObject({ ok: true })
    expect(memory.discarded).toContainEqual(leftover)
    expect(memory.discarded.map(({ handle }) => handle)).not.toContain('upload-8')
    expect(memory.keys).toEqual([])
  })

  it('gives no step more than two minutes, and ends though the location heeds no abort', async () => {
    const memory = new MemoryLocation('disk')
    const clock = new FakeClock()
    memory.list = () => new Promise(() => undefined)
    const result = validate(memory, { clock })
    await clock.advance(120_000)
    expect((await result).steps.at(-1)).toEqual({
      name: 'list',
      ok: false,
      durationMs: 120_000,
      failure: { code: 'unreachable', message: 'list: not done within 2m' },
    })
    expect(memory.keys).toEqual([])
  })
})
