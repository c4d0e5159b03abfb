import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { S3LocationConfig } from '../../agent/config/config.ts'
import { MIB } from '../../agent/core/units.ts'
import type { Location } from '../../agent/locations/location.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'
import { startProxy } from '../support/proxy.ts'
import { openS3Double, openS3With, s3Config } from '../support/s3/open.ts'
import type { S3Double } from '../support/s3/server.ts'
import { startS3 } from '../support/s3/server.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'
import type { StsDouble } from '../support/sts.ts'
import { startSts } from '../support/sts.ts'

const { signal } = new AbortController()
const small = Buffer.from('a manifest')
const ARN = 'arn:aws:iam::123456789012:role/palette-backup'

let s3: S3Double
let sts: StsDouble
let folder: string

beforeEach(async () => {
  s3 = await startS3()
  sts = await startSts({ s3 })
  folder = await mkdtemp(join(tmpdir(), 'palette-backup-identity-'))
  // Nothing of the machine: neither a profile nor the metadata of an instance.
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'none'))
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', join(folder, 'none'))
  vi.stubEnv('AWS_ENDPOINT_URL_STS', sts.url)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await sts[Symbol.asyncDispose]()
  await s3.stop()
  await rm(folder, { recursive: true })
})

describe('a role, credential_type sts', () => {
  it('is assumed with its arn and external id, by the given keys', async () => {
    const location = await openRole({ externalId: 'palette-prod' })
    await roundTrip(location)
    expect(sts.granted[0]).toMatchObject({
      Action: 'AssumeRole',
      RoleArn: ARN,
      ExternalId: 'palette-prod',
      RoleSessionName: 'palette-backup',
      authorization: expect.stringContaining(`Credential=${s3.accessKey}/`),
    })
  })

  it('is assumed by what the environment gives where no keys are given', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIAENVIRONMENT')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'environment-secret')
    const { accessKey: _key, secretKey: _secret, ...config } = s3Config(s3)
    await roundTrip(await openS3With({ ...config, credentialType: 'sts', arn: ARN }))
    expect(sts.granted[0]?.['authorization']).toContain('Credential=AKIAENVIRONMENT/')
    expect(sts.granted[0]).not.toHaveProperty('ExternalId')
  })

  it('is asked for again when its credentials expire in the middle of an upload', async () => {
    await using brief = await startSts({ s3, lifeMs: 2500 })
    vi.stubEnv('AWS_ENDPOINT_URL_STS', brief.url)
    const bytes = randomBytes(30 * MIB)
    const location = await openRole({})
    async function* slow() {
      for (let at = 0; at < bytes.length; at += MIB) {
        await sleep(120)
        yield bytes.subarray(at, at + MIB)
      }
    }
    expect(await location.put('large', slow(), { signal })).toEqual({ sizeBytes: bytes.length })
    expect(brief.granted.length).toBeGreaterThan(1)
    expect(s3.objects.get('large')?.bytes.equals(bytes)).toBe(true)
    await location.close()
  })

  it('says that it is the role that was refused', async () => {
    sts.refuse('AccessDenied')
    const location = await openRole({})
    expect(await errorOf(location.list('', { signal }))).toMatchObject({
      code: 'auth',
      message: expect.stringContaining(`assuming the role ${ARN}: HTTP 403, AccessDenied`),
      hint: expect.stringContaining('external_id'),
    })
    await location.close()
  })
})

describe('what the environment gives, credential_type default', () => {
  it('is found as a web identity (IRSA)', async () => {
    await writeFile(join(folder, 'token'), 'a-service-account-token')
    vi.stubEnv('AWS_ROLE_ARN', ARN)
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', join(folder, 'token'))
    await roundTrip(await openDefault())
    expect(sts.granted[0]).toMatchObject({
      Action: 'AssumeRoleWithWebIdentity',
      RoleArn: ARN,
      WebIdentityToken: 'a-service-account-token',
    })
  })

  it('is found as a pod identity', async () => {
    await writeFile(join(folder, 'token'), 'a-pod-token')
    vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `${sts.url}/v1/credentials`)
    vi.stubEnv('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', join(folder, 'token'))
    await roundTrip(await openDefault())
    expect(sts.granted[0]).toEqual({ authorization: 'a-pod-token' })
  })

  it('is missed with a sentence', async () => {
    const location = await openDefault()
    expect(await errorOf(location.list('', { signal }))).toMatchObject({
      code: 'auth',
      hint: expect.stringContaining('service account'),
    })
    await location.close()
  })
})

describe('a proxy', () => {
  it.each(['HTTPS_PROXY', 'https_proxy'])('of %s is used for https, with an authority of ours', async (name) => {
    await using proxy = await startProxy()
    const tls = selfSignedCertificate()
    await using secure = await startS3({ tls })
    const location = await openS3Double(secure, { caCert: tls.cert }, { [name]: proxy.url })
    await location.put('large', sliced(randomBytes(20 * MIB), MIB), { signal })
    await roundTrip(location)
    expect(new Set(proxy.used)).toEqual(new Set([new URL(secure.url).host]))
    expect(proxy.used.length).toBeGreaterThan(0)
  })

  it('is left out for hosts of NO_PROXY', async () => {
    await using proxy = await startProxy()
    const env = { HTTP_PROXY: proxy.url, NO_PROXY: 'example.com,127.0.0.1' }
    await roundTrip(await openS3Double(s3, {}, env))
    expect(proxy.used).toEqual([])
    await roundTrip(await openS3Double(s3, {}, { HTTP_PROXY: proxy.url }))
    expect(proxy.used.length).toBeGreaterThan(0)
  })

  it('that is not there is named', async () => {
    const location = await openS3Double(s3, {}, { HTTP_PROXY: 'http://127.0.0.1:1' })
    expect(await errorOf(location.list('', { signal }))).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('127.0.0.1, port 1'),
      hint: expect.stringContaining('HTTP_PROXY'),
    })
    await location.close()
  })

  it('that refuses is told, without its password', async () => {
    await using proxy = await startProxy({ refuse: 407 })
    const address = proxy.url.replace('://', '://user:swordfish@')
    for (const s3Url of ['https://s3.example.test', 'http://s3.example.test']) {
      const env = { HTTP_PROXY: address, HTTPS_PROXY: address }
      const location = await openS3Double(s3, { s3Url }, env)
      const error = await errorOf(location.list('', { signal }))
      expect(error).toMatchObject({
        name: 'Failure',
        message: expect.stringMatching(/proxy.*/),
        hint: expect.anything(),
      })
      expect(String(error)).toContain('407')
      expect(inspect(error, { depth: 12 })).not.toContain('swordfish')
      await location.close()
    }
  })

  it('is understood without a scheme, and refused when it is no address, without quoting it', async () => {
    await using proxy = await startProxy()
    await roundTrip(await openS3Double(s3, {}, { http_proxy: new URL(proxy.url).host }))
    expect(proxy.used.length).toBeGreaterThan(0)
    const error = await errorOf(openS3Double(s3, {}, { HTTP_PROXY: 'ftp://user:swordfish@proxy' }))
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining('HTTP_PROXY') })
    expect(String(error)).not.toContain('swordfish')
  })
})

describe('addresses', () => {
  it('have the bucket in the host name where path style is off', async () => {
    await using proxy = await startProxy({ upstreamPort: Number(new URL(s3.url).port) })
    const config = { s3Url: 'http://s3.example.test', s3ForcePathStyle: false }
    await roundTrip(await openS3Double(s3, config, { HTTP_PROXY: proxy.url }))
    expect(new Set(proxy.used)).toEqual(new Set(['backups.s3.example.test']))
  })
})

async function openRole(changes: Partial<S3LocationConfig>): Promise<Location> {
  return await openS3Double(s3, { credentialType: 'sts', arn: ARN, ...changes })
}

async function openDefault(): Promise<Location> {
  const { accessKey: _key, secretKey: _secret, ...config } = s3Config(s3)
  return await openS3With({ ...config, credentialType: 'default' })
}

async function roundTrip(location: Location): Promise<void> {
  await location.put('small', streamOf(small), { signal })
  expect((await collect(location.get('small', { signal }))).equals(small)).toBe(true)
  await location.close()
}
