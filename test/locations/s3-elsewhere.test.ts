import { describe, expect, it } from 'vitest'
import { MIB } from '../../agent/core/units.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { openS3Double } from '../support/s3/open.ts'
import { startS3 } from '../support/s3/server.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'
import { large, live, location, s3, small, useS3 } from './s3-world.ts'

useS3()

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
