import { describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import type { ValidateStep } from '../../agent/core/events.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import type { Location } from '../../agent/locations/location.ts'
import type { ValidateOptions } from '../../agent/locations/validate.ts'
import { validateLocation } from '../../agent/locations/validate.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { openS3Double } from '../support/s3/open.ts'
import { PALETTE_ACTIONS } from '../support/s3/operation.ts'
import { startS3 } from '../support/s3/server.ts'
import { errorOf, streamOf } from '../support/streams.ts'

const ALL = ['write', 'look up', 'list', 'read', 'read from an offset', 'overwrite', 'delete', 'verify that it is gone']

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
    expect(result.steps.map(({ name }) => name)).toEqual(['write', 'delete'])
    expect(used).toEqual(['put', 'delete'])
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
      ['clean up', false],
    ])
    expect(steps.at(-1)?.failure?.hint).toContain(`remove ${key} by hand`)
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

describe('validateLocation on S3', () => {
  it("succeeds with the six actions of Palette's policy", async () => {
    await using s3 = await startS3()
    const result = await validate(await openS3Double(s3))
    expect(result).toMatchObject({ ok: true })
    expect(s3.objects.size).toBe(0)
  })

  it.each([
    ['s3:PutObject', 'write'],
    ['s3:GetObject', 'write'],
    ['s3:ListBucket', 'list'],
    ['s3:DeleteObject', 'delete'],
  ])('names %s when it lacks', async (action, step) => {
    await using s3 = await startS3({ allow: PALETTE_ACTIONS.filter((allowed) => allowed !== action) })
    const { ok, steps } = await validate(await openS3Double(s3))
    expect(ok).toBe(false)
    const failed = steps.find((one) => !one.ok)
    expect(failed).toMatchObject({
      name: step,
      failure: { code: 'permission', hint: expect.stringContaining(action) },
    })
    expect(s3.objects.size).toBe(action === 's3:DeleteObject' ? 1 : 0)
  })

  it.each([
    ['a missing bucket', { bucketName: 'other' }, 'not_found'],
    ['a wrong region', { region: 'us-west-2' }, 'config'],
    ['nobody listening', { s3Url: 'http://127.0.0.1:1' }, 'unreachable'],
  ] as const)('explains %s', async (_what, changes, code) => {
    await using s3 = await startS3()
    const { steps } = await validate(await openS3Double(s3, changes))
    expect(steps).toHaveLength(1)
    expect(steps[0]).toMatchObject({ name: 'write', ok: false, failure: { code } })
  })
})

function validate(location: Location, changes: Partial<ValidateOptions> = {}) {
  return validateLocation(location, {
    permission: 'readwrite',
    ...live(),
    clock: systemClock,
    prefix: 'prod/',
    ...changes,
  })
}

function live() {
  return { signal: new AbortController().signal }
}
