import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Failure } from '../../agent/core/errors.ts'
import { MIB } from '../../agent/core/units.ts'
import type { Leftover, Location } from '../../agent/locations/location.ts'
import { replayable } from '../../agent/locations/location.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { openS3Double } from '../support/s3/open.ts'
import type { S3Double } from '../support/s3/server.ts'
import { startS3 } from '../support/s3/server.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'

const SLOW_DOWN = { kind: 'refuse', status: 503, code: 'SlowDown' } as const
const FOR_EVER = Number.POSITIVE_INFINITY

let s3: S3Double
let location: Location
const large = randomBytes(20 * MIB)
const small = Buffer.from('a manifest')

beforeEach(async () => {
  s3 = await startS3()
  location = await openS3Double(s3)
})
afterEach(async () => {
  await location.close()
  await s3.stop()
})

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
    for (const nth of [1, 3, 5]) s3.fail({ operation: 'UploadPart', nth, effect: SLOW_DOWN })
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
    s3.fail({ operation: 'UploadPart', times: FOR_EVER, effect: { kind: 'delay', ms: 300 } })
    let pulled = 0
    async function* body() {
      for (; pulled < 100 * MIB; pulled += MIB) yield large.subarray(0, MIB)
    }
    const { signal, abort } = abortableCall()
    const putting = errorOf(location.put('key', body(), { signal }))
    await sleep(250)
    expect(pulled).toBeGreaterThan(8 * MIB)
    expect(pulled).toBeLessThanOrEqual(25 * MIB)
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
  ] as const)('tell %i %s apart', async (status, code, expected, retryable) => {
    s3.fail({ operation: 'PutObject', effect: { kind: 'refuse', status, code } })
    const error = await errorOf(location.put('key', replayable(small), live()))
    expect(error).toMatchObject({ name: 'Failure', code: expected, retryable })
    expect((error as Failure).message).toMatch(/^storing key in offsite: /)
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

describe('S3 as it is served elsewhere', () => {
  it.each([
    [501, 'NotImplemented'],
    [411, 'MissingContentLength'],
    [400, 'InvalidArgument'],
  ])('works where checksums are refused with %i %s, and is asked only once', async (status, code) => {
    await using old = await startS3({ refuseChecksums: { status, code } })
    const other = await openS3Double(old)
    await other.put('small', streamOf(small), live())
    await other.put('large', sliced(large, MIB), live())
    expect(old.objects.get('small')?.bytes.equals(small)).toBe(true)
    expect(old.objects.get('large')?.bytes.equals(large)).toBe(true)
    expect(old.requests.filter((request) => request.status === status)).toHaveLength(1)
    await other.close()
  })

  it('works over TLS with an authority of its own', async () => {
    const tls = selfSignedCertificate()
    await using secure = await startS3({ tls })
    const other = await openS3Double(secure, { caCert: tls.cert })
    await other.put('large', sliced(large, MIB), live())
    expect((await collect(other.get('large', live()))).equals(large)).toBe(true)
    await other.close()
  })

  it('says which setting is missing when the certificate is not trusted', async () => {
    await using secure = await startS3({ tls: selfSignedCertificate() })
    const other = await openS3Double(secure)
    expect(await errorOf(other.list('', live()))).toMatchObject({
      code: 'unreachable',
      hint: expect.stringContaining('ca_cert'),
    })
    await other.close()
  })

  it("asks for nothing that Palette's policy does not allow", async () => {
    await location.put('small', streamOf(small), live())
    await location.put('large', sliced(large, MIB), live())
    await collect(location.get('large', live()))
    await location.list('', live())
    await location.stat('none', live())
    await location.delete('large', live())
    await location.discard({ key: 'large', handle: '0'.repeat(32) }, live())
    expect(s3.requests.filter(({ status }) => status === 403)).toEqual([])
    expect(s3.requests.length).toBeGreaterThan(10)
  })

  it('says how what it stores is to be encrypted, and with which key', async () => {
    const other = await openS3Double(s3, { serverSideEncryption: 'aws:kms', kmsKeyId: 'alias/backups' })
    await other.put('small', streamOf(small), live())
    await other.put('large', sliced(large, MIB), live())
    for (const key of ['small', 'large']) {
      expect(s3.objects.get(key)).toMatchObject({ encryption: 'aws:kms', kmsKey: 'alias/backups' })
    }
    await other.close()
  })

  it.each([
    ['refuses', 'no-encryption'],
    ['takes the header and does not encrypt', 'ignores-encryption'],
  ] as const)('says so where the server %s', async (_what, quirk) => {
    await using odd = await startS3({ quirks: [quirk] })
    const other = await openS3Double(odd, { serverSideEncryption: 'AES256' })
    const expected = { code: 'unsupported', hint: expect.stringContaining('server_side_encryption') }
    expect(await errorOf(other.put('small', streamOf(small), live()))).toMatchObject(expected)
    expect(await errorOf(other.put('large', sliced(large, MIB), live()))).toMatchObject(expected)
    expect(odd.uploads.size).toBe(0)
    await other.close()
  })

  it.each([
    ['radosgw', ['empty-etag-on-complete', 'no-such-key-for-upload', 'errors-without-text', 'no-checksums-returned']],
    ['Swift', ['no-encryption', 'no-checksums-returned']],
  ] as const)('works with what %s does otherwise', async (_what, quirks) => {
    await using odd = await startS3({ quirks })
    const other = await openS3Double(odd)
    await other.put('large', sliced(large, MIB), live())
    await other.put('small', streamOf(small), live())
    expect((await collect(other.get('large', { ...live(), offset: 5 }))).equals(large.subarray(5))).toBe(true)
    expect(await other.list('', live())).toHaveLength(2)
    await other.discard({ key: 'large', handle: '0'.repeat(32) }, live())
    await other.delete('large', live())
    expect(await other.stat('large', live())).toBeUndefined()
    const wrong = await openS3Double(odd, { bucketName: 'other' })
    expect(await errorOf(wrong.list('', live()))).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('NoSuchBucket'),
    })
    await Promise.all([other.close(), wrong.close()])
  })

  it('refuses to go on with a server that always sends objects whole', async () => {
    await using odd = await startS3({ quirks: ['ignores-range'] })
    const other = await openS3Double(odd)
    await other.put('small', streamOf(small), live())
    expect(await errorOf(collect(other.get('small', { ...live(), offset: 5 })))).toMatchObject({ code: 'unsupported' })
    await other.close()
  })

  it('holds no connection when it is closed', async () => {
    await location.list('', live())
    expect(await s3.connections()).toBeGreaterThan(0)
    await location.close()
    await expect.poll(() => s3.connections()).toBe(0)
  })
})

function putLarge() {
  return location.put('key', sliced(large, MIB), live())
}

function page(inner: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>backups</Name>${inner}</ListBucketResult>`
}

function abortableCall() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}

function live() {
  return { signal: new AbortController().signal }
}
