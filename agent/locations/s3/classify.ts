import { Failure, isAbort, toFailure } from '../../core/errors.ts'
import { networkFailure } from '../classify-network.ts'

export interface S3Place {
  readonly bucket: string
  readonly region: string
  /** The IAM actions that the request needs. */
  readonly actions: string
  /** Encryption at rest is asked for. */
  readonly encrypted?: boolean
  /** What to check where the server cannot be reached. */
  readonly unreachableHint?: string
}

export const ENCRYPTION_HINT = 'Remove server_side_encryption, or have encryption at rest set up on the server.'

/** There was nothing to sign a request with. */
export class CredentialsUnavailable extends Error {
  readonly hint: string

  constructor(doing: string, hint: string, cause: unknown) {
    super(doing, { cause })
    this.hint = hint
  }
}

interface S3ErrorFacts {
  readonly name: string
  readonly status: number | undefined
  readonly reason: string
}

const CREDENTIALS_REFUSED = new Set([
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'InvalidToken',
  'TokenRefreshRequired',
  'InvalidClientTokenId',
  'CredentialsProviderError',
])
const FULL = new Set(['XMinioStorageFull', 'QuotaExceeded', 'InsufficientStorage', 'XMinioAdminBucketQuotaExceeded'])
/** Where the disk filled up while MinIO was writing, it speaks of an internal error and gives that of the system. */
const FULL_TEXT = /no space left on device|disk quota exceeded/i
const BUSY = new Set([
  'SlowDown',
  'ServiceUnavailable',
  'InternalError',
  'RequestTimeout',
  'Throttling',
  'ThrottlingException',
])
const WRONG_REGION = new Set([
  'AuthorizationHeaderMalformed',
  'PermanentRedirect',
  'IllegalLocationConstraintException',
])

/**
 * What an S3 call rejected with, as a Failure. Goes by code and HTTP status before the message: many servers send no
 * text, and HTML pages of proxies arrive as parse errors with the status beside them.
 */
export function s3Failure(thrown: unknown, doing: string, place: S3Place): Failure {
  if (thrown instanceof Failure) return thrown
  if (isAbort(thrown)) return toFailure(thrown, doing)
  if (thrown instanceof CredentialsUnavailable) return credentialsFailure(thrown, doing, place)
  const network = networkFailure(thrown, doing)
  if (network) return withHint(network, place.unreachableHint)
  const { name, status, reason } = errorFacts(thrown)
  const fail = (options: Omit<ConstructorParameters<typeof Failure>[1], 'cause'>, text = reason): Failure =>
    new Failure(`${doing}: ${text}`, { ...options, cause: thrown })
  if (name === 'TimeoutError') return fail({ code: 'unreachable', retryable: true }, 'no answer in time')
  if (CREDENTIALS_REFUSED.has(name)) {
    return fail({ code: 'auth', hint: 'Check access_key and secret_key, or what supplies the credentials.' })
  }
  if (name === 'RequestTimeTooSkewed') {
    return fail({ code: 'auth', hint: 'The clocks of this machine and of the server differ: correct the wrong one.' })
  }
  if (WRONG_REGION.has(name) || status === 301) {
    return fail({ code: 'config', hint: `Check region (${place.region}) and s3_url: the bucket is served elsewhere.` })
  }
  if (name === 'NoSuchBucket') {
    return fail({ code: 'not_found', hint: `Create the bucket ${place.bucket}, or correct bucket_name.` })
  }
  if (name === 'InvalidBucketName') {
    return fail({
      code: 'config',
      hint: `Correct bucket_name (${place.bucket}): it is no name that a bucket can have.`,
    })
  }
  if (FULL.has(name) || status === 507 || FULL_TEXT.test(reason))
    return fail({ code: 'no_space', hint: 'Free space, or raise the quota.' })
  if (name === 'AccessDenied' || status === 401 || status === 403) {
    return fail({
      code: 'permission',
      hint: `Allow ${place.actions} on the bucket ${place.bucket} and on what is in it, if that is the right bucket.`,
    })
  }
  const elsewhere = place.unreachableHint === undefined ? {} : { hint: place.unreachableHint }
  if (status === 407) return fail({ code: 'auth', ...elsewhere }, 'HTTP 407, the proxy wants a user and a password')
  if (status === 404) return fail({ code: 'not_found', ...(name === '' ? elsewhere : {}) })
  if (status === 412) return fail({ code: 'unavailable' }, 'the object was replaced meanwhile')
  if (status === 413)
    return fail({ code: 'unsupported', hint: 'A proxy before the server limits the size of requests.' })
  if (status === 501) return fail({ code: 'unsupported', ...(place.encrypted ? { hint: ENCRYPTION_HINT } : {}) })
  // Accepted, it seems, with an answer that cannot be read: something between here and the server wrote it.
  if (status !== undefined && status < 300) return fail({ code: 'unavailable', retryable: true })
  if (BUSY.has(name) || status === 429 || (status !== undefined && status >= 500)) {
    return fail({ code: 'unavailable', retryable: true })
  }
  // An answer to a client, but not from S3: a portal, a proxy, a port for TLS that was addressed without.
  if (name === '' && status !== undefined && status < 500) return fail({ code: 'config', ...elsewhere })
  return fail({ code: 'internal' })
}

/** A service that cannot be reached may be there next time; whatever else it says is about the credentials. */
function credentialsFailure({ message, hint, cause }: CredentialsUnavailable, doing: string, place: S3Place): Failure {
  const failure = s3Failure(cause, `${doing}: ${message}`, place)
  if (failure.retryable || failure.code === 'cancelled') return failure
  return new Failure(failure.message, { code: 'auth', hint, cause })
}

function withHint(failure: Failure, hint: string | undefined): Failure {
  if (failure.hint !== undefined || hint === undefined) return failure
  const { code, retryable, cause } = failure
  return new Failure(failure.message, { code, retryable, cause, hint })
}

/** The name of the error, which is S3's error code wherever the server sent one. */
export function s3ErrorName(thrown: unknown): string {
  return errorFacts(thrown).name
}

export function httpStatusOf(thrown: unknown): number | undefined {
  return errorFacts(thrown).status
}

function errorFacts(thrown: unknown): S3ErrorFacts {
  if (!(thrown instanceof Error)) return { name: '', status: undefined, reason: String(thrown) }
  const metadata = '$metadata' in thrown ? thrown.$metadata : undefined
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? Number(metadata.httpStatusCode) || undefined
      : undefined
  const named = thrown.name === 'Error' || thrown.name.startsWith('Unknown') ? '' : thrown.name
  const isForeign = thrown.message.includes('Deserialization error')
  const said = isForeign ? 'an answer that is not of S3' : thrown.message
  const text = said.startsWith('Unknown') || said === named ? '' : said
  const answered = status === undefined ? [] : [`HTTP ${status}`]
  return { name: named, status, reason: [...answered, named, text].filter((part) => part !== '').join(', ') }
}
