import type { S3LocationConfig } from '../../../agent/config/config.ts'
import { systemClock } from '../../../agent/core/clock.ts'
import { Secret } from '../../../agent/core/secret.ts'
import type { Location } from '../../../agent/locations/location.ts'
import { createRetry } from '../../../agent/locations/retry.ts'
import { openS3 } from '../../../agent/locations/s3/s3-location.ts'

/** What there is to know about an S3 server to use it: of the double as well as of a real one. */
export interface S3Server {
  readonly url: string
  readonly bucket: string
  readonly region?: string
  readonly accessKey: string
  readonly secretKey: string
}

/** An S3 location that repeats at once and has little patience. */
export async function openS3Double(
  server: S3Server,
  changes: Partial<S3LocationConfig> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Location> {
  return await openS3With({ ...s3Config(server), ...changes }, env)
}

/** For what is no test of patience: a busy machine is not a silent server. */
export async function openPatientS3(server: S3Server, changes: Partial<S3LocationConfig> = {}): Promise<Location> {
  return await openS3With({ ...s3Config(server), ...changes }, {}, 20_000)
}

export async function openS3With(
  config: S3LocationConfig,
  env: Readonly<Record<string, string>> = {},
  silenceMs = 500,
): Promise<Location> {
  const retry = createRetry({ clock: systemClock, attempts: 3, baseMs: 1 })
  return await openS3(config, { clock: systemClock, retry, silenceMs, env })
}

export function s3Config(server: S3Server): S3LocationConfig {
  return {
    name: 'offsite',
    storageProvider: 's3',
    folder: '',
    validate: true,
    bucketName: server.bucket,
    region: server.region ?? 'us-east-1',
    credentialType: 'secret',
    accessKey: new Secret(server.accessKey),
    secretKey: new Secret(server.secretKey),
    s3Url: server.url,
    s3ForcePathStyle: true,
  }
}
