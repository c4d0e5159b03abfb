import { S3Client } from '@aws-sdk/client-s3'
import type { S3LocationConfig } from '../../config/config.ts'
import type { ChecksumMode } from './checksum-mode.ts'
import { createConnections } from './connections.ts'
import { credentialsOf } from './credentials.ts'

export interface ClientOptions {
  readonly checksums: ChecksumMode
  /** Cut a request on which no byte moved for so long; 0: never. */
  readonly silenceMs: number
  /** Where the variables of a proxy are looked for. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A client that tries every request once: retries are decided in one place, above it. */
export function createClient(config: S3LocationConfig, { checksums, silenceMs, env }: ClientOptions): S3Client {
  const { caCert, region, s3Url, s3ForcePathStyle } = config
  return new S3Client({
    region,
    ...(s3Url === undefined ? {} : { endpoint: s3Url }),
    forcePathStyle: s3ForcePathStyle,
    credentials: credentialsOf(config),
    maxAttempts: 1,
    requestChecksumCalculation: async () => checksums.current,
    // What is read back is compared with SHA-256 by who reads it; servers differ in what they return here.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: createConnections({ ...(caCert === undefined ? {} : { caCert }), env, silenceMs }),
  })
}
