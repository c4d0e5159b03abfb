import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Failure } from '../../agent/core/errors.ts'
import { MIB } from '../../agent/core/units.ts'
import { replayable } from '../../agent/locations/location.ts'
import { MOST_EMPTY_PAGES } from '../../agent/locations/s3/s3-location.ts'
import { openS3Double } from '../support/s3/open.ts'
import { startS3 } from '../support/s3/server.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'
import { FOR_EVER, large, live, location, SLOW_DOWN, s3, small, useS3 } from './s3-world.ts'

useS3()

describe('an S3 download', () => {
  beforeEach(async () => {
    await location.put('key', streamOf(large), live())
  })

  it.each([
    ['cut', { kind: 'cut', bytes: 3 * MIB }],
    ['silent', { kind: 'silence', bytes: 3 * MIB }],
  ] as const)('goes on behind the last byte when it falls %s', async (_what, effect) => {
    s3.fail({ operation: 'GetObject', effect })
    expect((await collect(location.get('key', live()))).equals(large)).toBe(true)
    expect(s3.count('GetObject')).toBe(2)
  })

  it('goes on as often as it takes, from any offset', async () => {
    s3.fail({ operation: 'GetObject', times: 5, effect: { kind: 'cut', bytes: 2 * MIB } })
    expect((await collect(location.get('key', { ...live(), offset: 1001 }))).equals(large.subarray(1001))).toBe(true)
  })

  it('goes on though the server is busy in between', async () => {
    s3.fail({ operation: 'GetObject', effect: { kind: 'cut', bytes: MIB } })
    s3.fail({ operation: 'GetObject', nth: 2, effect: SLOW_DOWN })
    expect((await collect(location.get('key', live()))).equals(large)).toBe(true)
  })

  it('rejects, and never ends short, when the server gives no more', async () => {
    s3.fail({ operation: 'GetObject', effect: { kind: 'cut', bytes: MIB } })
    s3.fail({ operation: 'GetObject', nth: 2, times: FOR_EVER, effect: { kind: 'cut', bytes: 0 } })
    expect(await errorOf(collect(location.get('key', live())))).toMatchObject({ code: 'unreachable', retryable: true })
  })

  it('does not join the halves of two objects', async () => {
    s3.fail({ operation: 'GetObject', effect: { kind: 'cut', bytes: MIB } })
    const reading = async () => {
      let replaced = false
      for await (const _ of location.get('key', live())) {
        if (!replaced) await location.put('key', streamOf(randomBytes(20 * MIB)), live())
        replaced = true
      }
    }
    expect(await errorOf(reading())).toMatchObject({
      code: 'unavailable',
      message: 'reading key in offsite: the object was replaced meanwhile',
    })
  })

  it('leaves the first try to who called, because nothing was read yet', async () => {
    s3.fail({ operation: 'GetObject', effect: SLOW_DOWN })
    expect(await errorOf(collect(location.get('key', live())))).toMatchObject({ code: 'unavailable', retryable: true })
    expect(s3.count('GetObject')).toBe(1)
  })

  it('waits for a reader that takes its time', async () => {
    let bytes = 0
    for await (const chunk of location.get('key', live())) {
      if (bytes === 0) await sleep(800)
      bytes += chunk.length
    }
    expect(bytes).toBe(large.length)
    expect(s3.count('GetObject')).toBe(1)
  })
})

describe('an S3 listing', () => {
  it.each([
    ['says that there is more and not where', page('<IsTruncated>true</IsTruncated>')],
    [
      'goes round in circles',
      page('<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>'),
    ],
    ['is the page of a portal', '<html><body>Please log in</body></html>'],
    ['is empty', ''],
    ['ends early', page('<IsTruncated>false</IsTruncated>').slice(0, 80)],
  ])('is refused when it %s', async (_what, body) => {
    s3.fail({ operation: 'ListObjectsV2', times: 10, effect: { kind: 'answer', status: 200, body } })
    expect(await errorOf(location.list('', live()))).toMatchObject({ code: 'unavailable', retryable: true })
  })

  it('is refused when it goes on for ever and holds nothing', async () => {
    for (let token = 0; token < MOST_EMPTY_PAGES; token += 1) {
      const next = `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`
      s3.fail({ operation: 'ListObjectsV2', nth: token + 1, effect: { kind: 'answer', status: 200, body: page(next) } })
    }
    expect(await errorOf(location.list('', live()))).toMatchObject({ code: 'unavailable', retryable: true })
    expect(s3.count('ListObjectsV2')).toBe(MOST_EMPTY_PAGES)
  })

  it('is refused when one of its pages fails', async () => {
    await using paged = await startS3({ pageSize: 2 })
    const other = await openS3Double(paged)
    for (const key of ['a', 'b', 'c', 'd', 'e']) await other.put(key, streamOf(small), live())
    paged.fail({ operation: 'ListObjectsV2', nth: 2, effect: SLOW_DOWN })
    expect(await errorOf(other.list('', live()))).toMatchObject({ code: 'unavailable', retryable: true })
    expect(await other.list('', live())).toHaveLength(5)
    await other.close()
  })
})

describe('S3 failures', () => {
  it.each([
    ['a wrong secret key', { secretKey: 'wrong' }, 'auth', 'SignatureDoesNotMatch'],
    ['an unknown access key', { accessKey: 'AKIAOTHER' }, 'auth', 'InvalidAccessKeyId'],
    ['a missing bucket', { bucket: 'other' }, 'not_found', 'NoSuchBucket'],
    ['a wrong region', { region: 'us-west-2' }, 'config', 'AuthorizationHeaderMalformed'],
    ['nobody there', { url: 'http://127.0.0.1:1' }, 'unreachable', 'connection refused'],
    ['an unknown host', { url: 'http://no-such-host.invalid:9000' }, 'unreachable', 'host'],
  ] as const)('explain %s in every operation', async (_what, changes, code, text) => {
    const { url, bucket, region, accessKey, secretKey } = s3
    const wrong = await openS3Double({ url, bucket, region, accessKey, secretKey, ...changes })
    const expected = { name: 'Failure', code, message: expect.stringContaining(text) }
    expect(await errorOf(wrong.put('key', streamOf(small), live()))).toMatchObject(expected)
    expect(await errorOf(wrong.put('key', sliced(large, MIB), live()))).toMatchObject(expected)
    expect(await errorOf(collect(wrong.get('key', live())))).toMatchObject(expected)
    expect(await errorOf(wrong.list('', live()))).toMatchObject(expected)
    expect(await errorOf(wrong.delete('key', live()))).toMatchObject(expected)
    // The answer to HEAD has no text that could say more.
    expect(await errorOf(wrong.stat('key', live()))).toMatchObject({ name: 'Failure' })
    await wrong.close()
  })

  it.each([
    [403, 'RequestTimeTooSkewed', 'auth', false],
    [403, 'AccessDenied', 'permission', false],
    [503, 'SlowDown', 'unavailable', true],
    [500, 'InternalError', 'unavailable', true],
    [429, 'TooManyRequests', 'unavailable', true],
    [507, 'XMinioStorageFull', 'no_space', false],
    [413, 'EntityTooLarge', 'unsupported', false],
    [400, 'InvalidBucketName', 'config', false],
  ] as const)('tell %i %s apart', async (status, code, expected, retryable) => {
    s3.fail({ operation: 'PutObject', effect: { kind: 'refuse', status, code } })
    const error = await errorOf(location.put('key', replayable(small), live()))
    expect(error).toMatchObject({ name: 'Failure', code: expected, retryable })
    expect((error as Failure).message).toMatch(/^storing key in offsite: /)
  })

  it('tell a disk that filled up while MinIO wrote to it, which it calls an internal error', async () => {
    const message = 'We encountered an internal error, please try again.: cause(no space left on device)'
    const body = `<?xml version="1.0"?><Error><Code>InternalError</Code><Message>${message}</Message></Error>`
    s3.fail({ operation: 'PutObject', effect: { kind: 'refuse', status: 500, code: 'InternalError', body } })
    expect(await errorOf(location.put('key', replayable(small), live()))).toMatchObject({
      code: 'no_space',
      retryable: false,
      hint: expect.stringContaining('Free space'),
    })
  })

  it.each([
    [400, 'Client sent an HTTP request to an HTTPS server.\n', 'config', 'HTTP 400, an answer that is not of S3'],
    [404, 'not found', 'not_found', 'HTTP 404, an answer that is not of S3'],
    [407, '', 'auth', 'HTTP 407, the proxy wants a user and a password'],
    [418, '<html>portal</html>', 'config', 'HTTP 418'],
  ] as const)('tell an answer of somebody else: %i %s', async (status, body, code, text) => {
    s3.fail({ operation: 'ListObjectsV2', effect: { kind: 'refuse', status, code: '', body } })
    expect(await errorOf(location.list('', live()))).toMatchObject({
      code,
      message: `listing everything in offsite: ${text}`,
      hint: expect.stringContaining('s3_url'),
    })
  })

  it('carry no secret', async () => {
    s3.fail({ operation: 'PutObject', effect: { kind: 'refuse', status: 403, code: 'AccessDenied' } })
    const error = await errorOf(location.put('key', streamOf(small), live()))
    expect(error).toBeInstanceOf(Error)
    const { message, hint = '', stack = '' } = error as Failure
    for (const text of [message, hint, stack, JSON.stringify(error), inspect(error, { depth: 12 })]) {
      expect(text).not.toContain(s3.secretKey)
    }
  })
})

function page(inner: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>backups</Name>${inner}</ListBucketResult>`
}
