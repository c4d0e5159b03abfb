import { describe, expect, it } from 'vitest'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import type { ValidateStep } from '../../agent/core/events.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import type { Location } from '../../agent/locations/location.ts'
import { throttled } from '../../agent/locations/throttled.ts'
import type { ValidateOptions } from '../../agent/locations/validate.ts'
import { validateLocation } from '../../agent/locations/validate.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { openPatientS3 } from '../support/s3/open.ts'
import { PALETTE_ACTIONS } from '../support/s3/operation.ts'
import { startS3 } from '../support/s3/server.ts'
import { errorOf, streamOf } from '../support/streams.ts'

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

describe('validateLocation on S3', () => {
  it("succeeds with the six actions of Palette's policy", async () => {
    await using s3 = await startS3()
    const result = await validate(await openPatientS3(s3))
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
    const { ok, steps } = await validate(await openPatientS3(s3))
    expect(ok).toBe(false)
    const failed = steps.find((one) => !one.ok)
    expect(failed).toMatchObject({
      name: step,
      failure: { code: 'permission', hint: expect.stringContaining(action) },
    })
    expect(s3.objects.size).toBe(action === 's3:DeleteObject' ? 1 : 0)
  })

  it('names every right that lacks, and leaves no more than it must', async () => {
    const allow = ['s3:PutObject', 's3:GetObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts']
    await using s3 = await startS3({ allow })
    const { steps } = await validate(await openPatientS3(s3))
    const failed = steps.filter((step) => !step.ok).map(({ name, failure }) => [name, failure?.code])
    expect(failed).toEqual([
      ['list', 'permission'],
      ['delete', 'permission'],
      ['clean up', 'permission'],
    ])
    expect(s3.objects.size).toBe(1)
    expect(s3.uploads.size).toBe(0)
  })

  it('names s3:AbortMultipartUpload when it lacks', async () => {
    const allow = PALETTE_ACTIONS.filter((action) => action !== 's3:AbortMultipartUpload')
    await using s3 = await startS3({ allow })
    const { ok, steps } = await validate(await openPatientS3(s3))
    expect(ok).toBe(false)
    expect(steps.find((one) => !one.ok)).toMatchObject({
      name: 'discard an unfinished upload',
      failure: { code: 'permission', hint: expect.stringContaining('s3:AbortMultipartUpload') },
    })
  })

  it('leaves no unfinished upload', async () => {
    await using s3 = await startS3()
    await validate(await openPatientS3(s3))
    expect(s3.count('CreateMultipartUpload')).toBe(2)
    expect(s3.uploads.size).toBe(0)
  })

  it('tells of checksums and TLS', async () => {
    const tls = selfSignedCertificate()
    await using s3 = await startS3({ tls })
    const { steps } = await validate(await openPatientS3(s3, { caCert: tls.cert }))
    expect(steps.at(-1)).toMatchObject({
      name: 'about the server',
      ok: true,
      detail: expect.stringMatching(/^checksums go with every upload; TLSv1\.3, certificate of .+ good until \d{4}-/),
    })
    await using old = await startS3({ refuseChecksums: { status: 501, code: 'NotImplemented' } })
    expect((await validate(await openPatientS3(old))).steps.at(-1)?.detail).toContain('the server refuses checksums')
  })

  it.each([
    ['a missing bucket', { bucketName: 'other' }, 'not_found'],
    ['a wrong region', { region: 'us-west-2' }, 'config'],
    ['nobody listening', { s3Url: 'http://127.0.0.1:1' }, 'unreachable'],
  ] as const)('explains %s', async (_what, changes, code) => {
    await using s3 = await startS3()
    const { steps } = await validate(await openPatientS3(s3, changes))
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
