import { S3Client } from '@aws-sdk/client-s3'
import type { S3LocationConfig } from '../../config/config.ts'
import type { ChecksumMode } from './checksum-mode.ts'
import type { Connections } from './connections.ts'
import { credentialsOf } from './credentials.ts'

export interface ClientOptions {
  readonly checksums: ChecksumMode
  readonly connections: Connections
}

/** A client that tries every request once: retries are decided in one place, above it. */
export function createClient(config: S3LocationConfig, { checksums, connections }: ClientOptions): S3Client {
  const { region, s3Url, s3ForcePathStyle } = config
  return new S3Client({
    region,
    ...(s3Url === undefined ? {} : { endpoint: s3Url }),
    forcePathStyle: s3ForcePathStyle,
    credentials: credentialsOf(config),
    maxAttempts: 1,
    requestChecksumCalculation: async () => checksums.current,
    // What is read back is compared with SHA-256 by who reads it; servers differ in what they return here.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: connections.handler,
  })
}
