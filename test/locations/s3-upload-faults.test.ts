import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { MIB } from '../../agent/core/units.ts'
import type { Leftover } from '../../agent/locations/location.ts'
import { errorOf, sliced, streamOf } from '../support/streams.ts'
import { until } from '../support/until.ts'
import { FOR_EVER, large, live, location, SLOW_DOWN, s3, small, useS3 } from './s3-world.ts'

useS3()

describe('an S3 upload', () => {
  it.each([
    ['refused with SlowDown', SLOW_DOWN],
    ['cut', { kind: 'reset' }],
    ['cut behind the last byte', { kind: 'reset-after' }],
    ['never answered', { kind: 'stall' }],
    ['refused by a proxy', { kind: 'refuse', status: 502, code: '', body: '<html>Bad Gateway</html>' }],
  ] as const)('sends a part again that was %s', async (_what, effect) => {
    s3.fail({ operation: 'UploadPart', nth: 2, effect })
    expect(await putLarge()).toEqual({ sizeBytes: large.length })
    expect(s3.objects.get('key')?.bytes.equals(large)).toBe(true)
    expect(s3.uploads.size).toBe(0)
  })

  it('sends a part again however often the others are repeated', async () => {
    for (const part of [1, 2, 3]) s3.fail({ operation: 'UploadPart', part, times: 2, effect: SLOW_DOWN })
    await putLarge()
    expect(s3.objects.get('key')?.bytes.equals(large)).toBe(true)
  })

  it('gives up when a part is refused for ever, and leaves nothing', async () => {
    s3.fail({ operation: 'UploadPart', nth: 2, times: FOR_EVER, effect: SLOW_DOWN })
    expect(await errorOf(putLarge())).toMatchObject({
      name: 'Failure',
      code: 'unavailable',
      message: 'storing key in offsite: HTTP 503, SlowDown',
    })
    expect(s3.uploads.size).toBe(0)
    expect(s3.objects.size).toBe(0)
  })

  it('does not repeat what no repetition helps', async () => {
    s3.fail({ operation: 'UploadPart', effect: { kind: 'refuse', status: 403, code: 'AccessDenied' } })
    expect(await errorOf(putLarge())).toMatchObject({ code: 'permission' })
    expect(s3.requests.filter(({ status }) => status === 403)).toHaveLength(1)
    expect(s3.uploads.size).toBe(0)
  })

  it('does not wait for the body when a part has failed', async () => {
    s3.fail({ operation: 'UploadPart', effect: { kind: 'refuse', status: 403, code: 'AccessDenied' } })
    async function* body() {
      yield* sliced(large.subarray(0, 9 * MIB), MIB)
      await sleep(20_000, undefined, { ref: false })
    }
    const started = performance.now()
    expect(await errorOf(location.put('key', body(), live()))).toMatchObject({ code: 'permission' })
    expect(performance.now() - started).toBeLessThan(5000)
  })

  it.each([
    ['is refused with SlowDown', SLOW_DOWN],
    ['is lost on its way', { kind: 'reset' }],
    ['is done and its answer lost', { kind: 'reset-after' }],
  ] as const)('succeeds when the completion %s', async (_what, effect) => {
    s3.fail({ operation: 'CompleteMultipartUpload', effect })
    expect(await putLarge()).toEqual({ sizeBytes: large.length })
    expect(s3.objects.get('key')?.bytes.equals(large)).toBe(true)
    expect(s3.uploads.size).toBe(0)
  })

  it('takes an error for what it is that comes with status 200', async () => {
    const body = '<?xml version="1.0"?><Error><Code>InternalError</Code><Message>Please try again.</Message></Error>'
    s3.fail({ operation: 'CompleteMultipartUpload', effect: { kind: 'answer', status: 200, body } })
    expect(await putLarge()).toEqual({ sizeBytes: large.length })
    expect(s3.count('CompleteMultipartUpload')).toBe(2)
    expect(s3.objects.get('key')?.bytes.equals(large)).toBe(true)
  })

  it('finds out that the server accepted what it did not keep', async () => {
    s3.fail({ operation: 'PutObject', effect: { kind: 'answer', status: 200, body: '' } })
    expect(await errorOf(location.put('key', streamOf(small), live()))).toMatchObject({
      code: 'damaged',
      message: 'storing key in offsite: 10 bytes were sent and accepted, but the object is not there',
    })
  })

  it('takes no more of a body than is about to be sent', async () => {
    s3.fail({ operation: 'UploadPart', times: FOR_EVER, effect: { kind: 'delay', ms: 2000 } })
    let pulled = 0
    async function* body() {
      for (; pulled < 100 * MIB; pulled += MIB) yield large.subarray(0, MIB)
    }
    const { signal, abort } = abortableCall()
    const putting = errorOf(location.put('key', body(), { signal }))
    await until('three parts', 10_000, async () => pulled >= 18 * MIB)
    await sleep(250)
    expect(pulled).toBeLessThanOrEqual(19 * MIB)
    abort()
    expect(await putting).toMatchObject({ code: 'cancelled' })
  })

  it('tells the id of the upload, and waits until it is on record, before the first part goes out', async () => {
    const leftovers: Leftover[] = []
    const onLeftover = async (leftover: Leftover) => {
      await sleep(50)
      leftovers.push(leftover)
      expect(s3.count('UploadPart')).toBe(0)
    }
    await location.put('key', sliced(large, MIB), { ...live(), onLeftover })
    expect(leftovers).toEqual([{ key: 'key', handle: expect.stringMatching(/^[0-9a-f]{32}$/) }])
  })

  it('has nothing to tell of a body that is stored in one request', async () => {
    let told = false
    const onLeftover = async () => {
      told = true
    }
    await location.put('key', streamOf(small), { ...live(), onLeftover })
    expect(told).toBe(false)
    expect(s3.count('PutObject')).toBe(1)
  })

  it('leaves no upload when it is aborted while the server makes one', async () => {
    s3.fail({ operation: 'CreateMultipartUpload', effect: { kind: 'delay', ms: 200 } })
    const { signal, abort } = abortableCall()
    const putting = errorOf(location.put('key', sliced(large, MIB), { signal }))
    await sleep(100)
    expect(s3.uploads.size).toBe(0)
    abort()
    expect(await putting).toMatchObject({ code: 'cancelled' })
    expect(s3.count('CreateMultipartUpload')).toBe(1)
    expect(s3.uploads.size).toBe(0)
  })

  it('leaves no upload when it is aborted while parts are on their way', async () => {
    s3.fail({ operation: 'UploadPart', times: FOR_EVER, effect: { kind: 'delay', ms: 200 } })
    const { signal, abort } = abortableCall()
    const onLeftover = async () => void setTimeout(abort, 100)
    const error = await errorOf(location.put('key', sliced(large, MIB), { signal, onLeftover }))
    expect(error).toMatchObject({ code: 'cancelled' })
    expect(s3.uploads.size).toBe(0)
    expect(s3.objects.size).toBe(0)
  })

  it('aborts again when the server keeps an upload that was aborted', async () => {
    s3.fail({ operation: 'AbortMultipartUpload', effect: { kind: 'answer', status: 204, body: '' } })
    s3.fail({ operation: 'UploadPart', effect: { kind: 'refuse', status: 403, code: 'AccessDenied' } })
    await errorOf(putLarge())
    expect(s3.count('AbortMultipartUpload')).toBe(2)
    expect(s3.uploads.size).toBe(0)
  })

  it('tells what made it fail, not that it could not be aborted', async () => {
    s3.fail({ operation: 'UploadPart', times: FOR_EVER, effect: SLOW_DOWN })
    s3.fail({ operation: 'AbortMultipartUpload', times: FOR_EVER, effect: { kind: 'reset' } })
    expect(await errorOf(putLarge())).toMatchObject({ message: expect.stringContaining('SlowDown') })
  })
})

function putLarge() {
  return location.put('key', sliced(large, MIB), live())
}

function abortableCall() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}
