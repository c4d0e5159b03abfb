import type { S3LocationConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import type { Location } from '../../agent/locations/location.ts'
import { createRetry } from '../../agent/locations/retry.ts'
import { openS3 } from '../../agent/locations/s3/s3-location.ts'
import { locationConformance } from '../conformance/location.ts'
import type { S3Double } from '../support/s3/server.ts'
import { startS3 } from '../support/s3/server.ts'

locationConformance('s3', async () => {
  const s3 = await startS3({ pageSize: 100 })
  return {
    location: await open(s3, { folder: 'prod/palette' }),
    cleanUp: () => s3.stop(),
    hidden: async () => [...s3.uploads.keys()],
  }
})

async function open(s3: S3Double, changes: Partial<S3LocationConfig> = {}): Promise<Location> {
  const retry = createRetry({ clock: systemClock, attempts: 3, baseMs: 1 })
  return await openS3({ ...configOf(s3), ...changes }, { clock: systemClock, retry, silenceMs: 500 })
}

function configOf(s3: S3Double): S3LocationConfig {
  return {
    name: 'offsite',
    storageProvider: 's3',
    folder: '',
    validate: true,
    bucketName: s3.bucket,
    region: s3.region,
    credentialType: 'secret',
    accessKey: new Secret(s3.accessKey),
    secretKey: new Secret(s3.secretKey),
    s3Url: s3.url,
    s3ForcePathStyle: true,
  }
}
