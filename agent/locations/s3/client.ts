import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { S3Client } from '@aws-sdk/client-s3'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { S3LocationConfig } from '../../config/config.ts'
import { Failure } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import type { ChecksumMode } from './checksum-mode.ts'

const CONNECT_MS = 10 * SECOND_MS

export interface ClientOptions {
  readonly checksums: ChecksumMode
  /** Cut a request on which no byte moved for so long; 0: never. */
  readonly silenceMs: number
}

/** A client that tries every request once: retries are decided in one place, above it. */
export function createClient(config: S3LocationConfig, { checksums, silenceMs }: ClientOptions): S3Client {
  const ca = config.caCert === undefined ? {} : { ca: config.caCert }
  return new S3Client({
    region: config.region,
    ...(config.s3Url === undefined ? {} : { endpoint: config.s3Url }),
    forcePathStyle: config.s3ForcePathStyle,
    ...credentials(config),
    maxAttempts: 1,
    requestChecksumCalculation: async () => checksums.current,
    // What is read back is compared with SHA-256 by who reads it; servers differ in what they return here.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // With agents of its own the SDK opens a connection without our authorities for each body of 2 MiB and more.
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_MS,
      socketTimeout: silenceMs,
      httpAgent: new HttpAgent({ keepAlive: true }),
      httpsAgent: new HttpsAgent({ keepAlive: true, ...ca }),
    }),
  })
}

/** Without explicit credentials the SDK looks for them itself: environment, IRSA, pod identity, instance role. */
function credentials({ credentialType, accessKey, secretKey, name }: S3LocationConfig): {
  credentials?: { accessKeyId: string; secretAccessKey: string }
} {
  if (credentialType === 'default') return {}
  if (credentialType === 'sts') {
    throw new Failure(`opening ${name}: credential_type "sts" is not supported yet`, {
      code: 'unsupported',
      hint: 'Use "secret" with an access key, or "default" with a role that the pod is given.',
    })
  }
  if (!accessKey || !secretKey) {
    throw new Failure(`opening ${name}: access_key and secret_key are needed for credential_type "secret"`, {
      code: 'config',
    })
  }
  return { credentials: { accessKeyId: accessKey.reveal(), secretAccessKey: secretKey.reveal() } }
}
