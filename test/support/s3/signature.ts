import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { S3Error } from './error.ts'

export interface SignedRequest {
  readonly method: string
  /** Path and query as they stand in the request line. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

export interface AccessKeys {
  readonly accessKey: string
  readonly secretKey: string
  /** Of temporary credentials, which are nothing without it. */
  readonly sessionToken?: string
  readonly goodUntilMs?: number
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/
const LARGEST_SKEW_MS = 15 * 60 * 1000

/**
 * Verifies Signature Version 4 in the Authorization header, as S3 does it: the path is not encoded a second time.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export function verifySignature(request: SignedRequest, known: readonly AccessKeys[], region: string): void {
  const authorization = request.headers.authorization
  if (authorization === undefined) throw new S3Error(403, 'AccessDenied', 'Anonymous access is not allowed.')
  const [, accessKey, date, scopeRegion, signedHeaders, signature] = AUTHORIZATION.exec(authorization) ?? []
  if (!accessKey || !date || !scopeRegion || !signedHeaders || !signature) {
    throw new S3Error(400, 'AuthorizationHeaderMalformed', 'The authorization header is malformed.')
  }
  const keys = known.find((one) => one.accessKey === accessKey)
  if (!keys) throw new S3Error(403, 'InvalidAccessKeyId', 'There is no such access key.')
  if (scopeRegion !== region) {
    throw new S3Error(
      400,
      'AuthorizationHeaderMalformed',
      `The region '${scopeRegion}' is wrong; expecting '${region}'`,
    )
  }
  if (header(request, 'x-amz-security-token') !== (keys.sessionToken ?? '')) {
    throw new S3Error(403, 'InvalidToken', 'The provided token is malformed or otherwise invalid.')
  }
  if (keys.goodUntilMs !== undefined && keys.goodUntilMs < Date.now()) {
    throw new S3Error(400, 'ExpiredToken', 'The provided token has expired.')
  }
  const timestamp = header(request, 'x-amz-date')
  if (Math.abs(Date.now() - parseTimestamp(timestamp)) > LARGEST_SKEW_MS) {
    throw new S3Error(403, 'RequestTimeTooSkewed', 'The difference between the clocks is too large.')
  }
  const scope = `${date}/${scopeRegion}/s3/aws4_request`
  const canonical = sha256(Buffer.from(canonicalRequest(request, signedHeaders.split(';'))))
  const expected = hmac(
    ['aws4_request', 's3', scopeRegion, date].reduceRight<Buffer>(
      (key, part) => hmac(key, part),
      Buffer.from(`AWS4${keys.secretKey}`),
    ),
    `AWS4-HMAC-SHA256\n${timestamp}\n${scope}\n${canonical}`,
  )
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) {
    throw new S3Error(403, 'SignatureDoesNotMatch', 'The calculated signature differs from the given one.')
  }
  verifyPayload(request)
}

function verifyPayload(request: SignedRequest): void {
  const declared = header(request, 'x-amz-content-sha256')
  if (declared.startsWith('STREAMING-')) throw new S3Error(501, 'NotImplemented', 'aws-chunked is not implemented.')
  if (declared !== 'UNSIGNED-PAYLOAD' && declared !== sha256(request.body)) {
    throw new S3Error(400, 'XAmzContentSHA256Mismatch', 'The body has another SHA-256 than the header says.')
  }
}

function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[]): string {
  const [path = '/', query = ''] = request.target.split('?', 2)
  const parameters = query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
    .sort()
  const headers = signedHeaders.map((name) => `${name}:${header(request, name).trim().replace(/ +/g, ' ')}\n`)
  const payload = header(request, 'x-amz-content-sha256')
  return [request.method, path, parameters.join('&'), headers.join(''), signedHeaders.join(';'), payload].join('\n')
}

function header(request: SignedRequest, name: string): string {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(',') : (value ?? '')
}

/** `20260101T000000Z` */
function parseTimestamp(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')) || 0
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
