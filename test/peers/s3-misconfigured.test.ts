import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { S3LocationConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import type { FailureData } from '../../agent/core/errors.ts'
import { Secret } from '../../agent/core/secret.ts'
import { openLocation } from '../../agent/locations/open-location.ts'
import { validateLocation } from '../../agent/locations/validate.ts'
import { s3Config } from '../support/s3/open.ts'
import { freePort } from './servers/free-port.ts'
import type { Minio } from './servers/minio.ts'
import { startMinio } from './servers/minio.ts'
import { peersMissing } from './servers/peer.ts'

type Changes = (minio: Minio) => Partial<S3LocationConfig>
const hint = (text: string) => expect.stringContaining(text)

/** What an operator gets wrong, and what the first step of `validate` says of it. */
const MISTAKES: readonly (readonly [string, Changes, Partial<FailureData>])[] = [
  [
    'TLS where there is none',
    ({ url }) => ({ s3Url: url.replace('http:', 'https:') }),
    { code: 'unreachable', hint: hint('TLS') },
  ],
  [
    'a bucket that is not there',
    () => ({ bucketName: 'nothing-here' }),
    { code: 'not_found', hint: hint('bucket_name') },
  ],
  ['no name of a bucket', () => ({ bucketName: 'NOT_A_NAME' }), { code: 'config', hint: hint('bucket_name') }],
  ['an unknown access key', () => ({ accessKey: new Secret('nobody') }), { code: 'auth', hint: hint('access_key') }],
  ['a wrong secret key', () => ({ secretKey: new Secret('wrong-secret') }), { code: 'auth', hint: hint('secret_key') }],
  [
    'encryption that is not set up',
    () => ({ serverSideEncryption: 'AES256' }),
    { code: 'unsupported', hint: hint('server_side_encryption') },
  ],
]

describe.skipIf(peersMissing('minio', 'mc'))('validate, of a location on MinIO with', () => {
  let minio: Minio
  beforeAll(async () => {
    minio = await startMinio()
  })
  afterAll(() => minio?.[Symbol.asyncDispose]())

  it.each(MISTAKES)('%s says what to correct', async (_mistake, changes, expected) => {
    const [first] = await validate({ ...s3Config(minio), ...changes(minio) })
    expect(first).toMatchObject({ name: 'write', ok: false, failure: expected })
    expect(JSON.stringify(first)).not.toContain('wrong-secret')
  })

  it.each<[string, Changes]>([
    ['another region', () => ({ region: 'eu-west-1' })],
    ['a slash behind its address', ({ url }) => ({ s3Url: `${url}/` })],
  ])('%s works all the same', async (_what, changes) => {
    const steps = await validate({ ...s3Config(minio), ...changes(minio) })
    expect(steps.filter(({ ok }) => !ok)).toEqual([])
  })

  it('the address of something else says that it does not speak HTTP, and where to look', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined).end('220 ready.\r\n'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const [first] = await validate({ ...s3Config(minio), s3Url: `http://127.0.0.1:${Object(server.address()).port}` })
    expect(first).toMatchObject({ ok: false, failure: { code: 'unreachable', hint: hint('s3_url') } })
    server.close()
  })

  it('a proxy that is not there says which variable names it', async () => {
    const env = { http_proxy: `http://127.0.0.1:${await freePort()}` }
    const [first] = await validate(s3Config(minio), env)
    expect(first).toMatchObject({ ok: false, failure: { code: 'unreachable', hint: hint('http_proxy') } })
  })
})

async function validate(config: S3LocationConfig, env: Readonly<Record<string, string>> = {}) {
  const location = await openLocation(config, { clock: systemClock, patience: 'brief', env })
  const { signal } = new AbortController()
  const options = { permission: 'readwrite', signal, clock: systemClock, prefix: 'prod/nightly/' } as const
  const { steps } = await validateLocation(location, options)
  await location.close()
  return steps
}
