import { describe, expect, it } from 'vitest'
import { Failure } from '../../agent/core/errors.ts'
import type { ValidateStep } from '../../agent/core/events.ts'
import { throttled } from '../../agent/locations/throttled.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { streamOf } from '../support/streams.ts'
import { live, validate } from './validating.ts'

const ALL = [
  'write',
  'look up',
  'list',
  'read',
  'read from an offset',
  'overwrite',
  'delete',
  'verify that it is gone',
  'write a large object',
  'read the large object',
  'discard an unfinished upload',
  'delete the large object',
]

describe('validateLocation', () => {
  it('writes, reads back, overwrites and deletes, and leaves nothing', async () => {
    const memory = new MemoryLocation('disk')
    const told: ValidateStep[] = []
    const result = await validate(memory, { onStep: (step) => told.push(step) })
    expect(result.ok).toBe(true)
    expect(result.steps.map(({ name, ok }) => [name, ok])).toEqual(ALL.map((name) => [name, true]))
    expect(told).toEqual(result.steps)
    expect(memory.keys).toEqual([])
  })

  it('touches nothing outside a folder of its own', async () => {
    const memory = new MemoryLocation('disk')
    const used = new Set<string>()
    memory.fault = (_operation, key) => used.add(key)
    await validate(memory)
    expect([...used].every((key) => key.startsWith('prod/.validate/'))).toBe(true)
    expect(used.size).toBeGreaterThan(1)
  })

  it('uses a name of its own each time, so that two validations at once are no trouble', async () => {
    const memory = new MemoryLocation('disk')
    const results = await Promise.all([validate(memory), validate(memory), validate(memory)])
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true])
    expect(memory.keys).toEqual([])
  })

  it('writes and removes, and reads nothing, where only that was asked for', async () => {
    const memory = new MemoryLocation('disk')
    const used: string[] = []
    memory.fault = (operation) => used.push(operation)
    const result = await validate(memory, { permission: 'write' })
    expect(result.steps.map(({ name }) => name)).toEqual([
      'write',
      'delete',
      'write a large object',
      'discard an unfinished upload',
      'delete the large object',
    ])
    expect(new Set(used)).toEqual(new Set(['put', 'discard', 'delete']))
  })

  it.each([
    ['put', 'write'],
    ['stat', 'look up'],
    ['list', 'list'],
    ['get', 'read'],
    ['delete', 'delete'],
  ])('names the step and the right that lacks when %s is denied', async (operation, step) => {
    const memory = new MemoryLocation('disk')
    memory.fault = (used, key) => {
      if (used === operation) throw new Failure(`${used} ${key} in disk: denied`, { code: 'permission' })
    }
    const result = await validate(memory)
    expect(result.ok).toBe(false)
    const failed = result.steps.find(({ ok }) => !ok)
    expect(failed).toMatchObject({
      name: step,
      failure: { code: 'permission', hint: expect.stringMatching(/needs permission to \w+ below prod\/\./) },
    })
    expect(memory.keys).toHaveLength(operation === 'delete' ? 1 : 0)
  })

  it('says what it could not remove again', async () => {
    const memory = new MemoryLocation('disk')
    memory.fault = (operation) => {
      if (operation === 'delete' || operation === 'list') throw new Failure('no', { code: 'permission' })
    }
    const { steps } = await validate(memory)
    const [key] = memory.keys
    expect(steps.map(({ name, ok }) => [name, ok])).toEqual([
      ['write', true],
      ['look up', true],
      ['list', false],
      ['read', true],
      ['read from an offset', true],
      ['overwrite', true],
      ['delete', false],
      ['clean up', false],
    ])
    expect(steps.at(-1)?.failure?.hint).toContain(`remove ${key}* by hand`)
  })

  it.each([
    ['a byte', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([255 - (bytes.at(-1) ?? 0)])])],
    ['the length', (bytes: Buffer) => bytes.subarray(1)],
  ])('finds out that %s changed on the way', async (_what, change) => {
    const memory = new MemoryLocation('disk')
    memory.fault = (operation, key) => {
      const bytes = memory.objects.get(key)
      if (operation === 'get' && bytes) memory.objects.set(key, change(bytes))
    }
    const { ok, steps } = await validate(memory)
    expect(ok).toBe(false)
    expect(steps.at(-1)).toMatchObject({ name: 'read', failure: { code: 'damaged' } })
    expect(memory.keys).toEqual([])
  })

  it('finds out that an overwritten object keeps its old content', async () => {
    const memory = new MemoryLocation('disk')
    let first: Buffer | undefined
    memory.fault = (operation, key) => {
      const bytes = memory.objects.get(key)
      first ??= bytes
      if (operation === 'get' && first && bytes !== first) memory.objects.set(key, first)
    }
    const { steps } = await validate(memory)
    expect(steps.at(-1)).toMatchObject({ name: 'overwrite', ok: false, failure: { code: 'damaged' } })
  })

  it('finds out that the object is there after its deletion', async () => {
    const memory = new MemoryLocation('disk')
    memory.delete = async () => undefined
    const { steps } = await validate(memory)
    expect(steps.at(-1)).toMatchObject({ name: 'verify that it is gone', ok: false, failure: { code: 'damaged' } })
  })

  it('tells how fast it was and how far the clocks are apart', async () => {
    const memory = new MemoryLocation('disk')
    const clock = new FakeClock()
    memory.stat = async (key) => {
      const sizeBytes = memory.objects.get(key)?.length
      return sizeBytes === undefined
        ? undefined
        : { key, sizeBytes, modified: new Date(clock.now().getTime() - 90_000) }
    }
    const { steps } = await validate(memory, { clock })
    const detailOf = (name: string) => steps.find((step) => step.name === name)?.detail
    expect(detailOf('look up')).toBe('its clock is 1m 29s behind ours')
    expect(detailOf('write a large object')).toMatch(/^9\.0 MiB at \d.*\/s$/)
    expect(detailOf('read the large object')).toMatch(/^9\.0 MiB at \d.*\/s$/)
  })

  it('sends less on a line that is slow, and says so', async () => {
    const memory = new MemoryLocation('disk')
    const clock = new FakeClock()
    const slow = throttled(memory, { clock, bytesPerSecond: 100_000 })
    const result = validate(slow, { clock })
    let ended = false
    result.finally(() => {
      ended = true
    })
    while (!ended) await clock.advance(125)
    const { ok, steps } = await result
    expect(ok).toBe(true)
    expect(steps.find(({ name }) => name === 'write a large object')?.detail).toMatch(
      /cut short because the line is slow$/,
    )
    expect(memory.keys).toEqual([])
  })

  it('shows no more of a failure than may be printed', async () => {
    const memory = new MemoryLocation('disk')
    memory.fault = (operation) => {
      if (operation === 'list') throw new TypeError('cannot read properties of undefined')
    }
    const { steps } = await validate(memory)
    expect(steps.at(-1)?.failure).toEqual({ code: 'internal', message: 'list: cannot read properties of undefined' })
  })

  describe('to read only', () => {
    it('lists and reads the newest manifest, and writes nothing', async () => {
      const memory = new MemoryLocation('disk')
      for (const key of [
        'prod/weekly/20260103T000000Z-aaaaaa.manifest.json',
        'prod/nightly/20260105T000000Z-bbbbbb.manifest.json',
        'prod/nightly/20260105T000000Z-bbbbbb/mongodb.archive.zst',
        'prod/nightly/20260104T000000Z-cccccc.manifest.json',
      ]) {
        await memory.put(key, streamOf(Buffer.from('{}')), live())
      }
      const used: string[] = []
      memory.fault = (operation, key) => used.push(`${operation} ${key}`)
      const result = await validate(memory, { permission: 'read' })
      expect(result.steps.map(({ name, ok }) => [name, ok])).toEqual([
        ['list', true],
        ['read', true],
      ])
      expect(used).toEqual(['list prod/', 'get prod/nightly/20260105T000000Z-bbbbbb.manifest.json'])
    })

    it('succeeds where nothing was stored yet, and says so', async () => {
      const { ok, steps } = await validate(new MemoryLocation('disk'), { permission: 'read' })
      expect(ok).toBe(true)
      expect(steps.map(({ detail }) => detail)).toEqual([
        'nothing is below prod/ yet',
        'there is no manifest to read yet',
      ])
    })
  })
})
