import { describe, expect, it } from 'vitest'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { openPatientS3 } from '../support/s3/open.ts'
import { PALETTE_ACTIONS } from '../support/s3/operation.ts'
import { startS3 } from '../support/s3/server.ts'
import { validate } from './validating.ts'

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
