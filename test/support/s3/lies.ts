import type { S3Answer, S3Request } from './handlers.ts'
import type { Operation } from './operation.ts'
import { errorDocument } from './xml.ts'

/** Stands between a request and the store: `honest` does what a request asks for and answers as it should. */
export type Lie = (operation: Operation, request: S3Request, honest: (request: S3Request) => S3Answer) => S3Answer

/** Servers and disks that do not keep what they say, by what they do. */
export const LIES = {
  'flips a bit of what is read': (operation, request, honest) => {
    const answer = honest(request)
    const { body } = answer
    if (operation !== 'GetObject' || !Buffer.isBuffer(body) || body.length === 0) return answer
    const flipped = Buffer.from(body)
    flipped.writeUInt8(flipped.readUInt8(body.length >> 1) ^ 4, body.length >> 1)
    return { ...answer, body: flipped }
  },
  'keeps a byte less': (operation, request, honest) => honest(isUpload(operation) ? shortened(request) : request),
  'keeps a byte less and says it is all there': (operation, request, honest) => {
    const answer = honest(isUpload(operation) ? shortened(request) : request)
    if (operation !== 'HeadObject' || !isBackup(request)) return answer
    return { ...answer, headers: { ...answer.headers, 'Content-Length': lengthOf(answer) + 1 } }
  },
  'keeps nothing of what it is given': (operation, request, honest) =>
    operation === 'PutObject' && isBackup(request) ? { status: 200, headers: { ETag: '"0"' } } : honest(request),
  'gives parts ETags that it does not take back': (operation, request, honest) => {
    const answer = honest(request)
    return operation === 'UploadPart' ? { ...answer, headers: { ...answer.headers, ETag: '"wrong"' } } : answer
  },
  'completes an upload with 200 and an error': (operation, request, honest) =>
    operation === 'CompleteMultipartUpload'
      ? { status: 200, body: errorDocument('InternalError', 'Please try again.', request.key) }
      : honest(request),
  'completes an upload in vain': (operation, request, honest) => {
    if (operation !== 'CompleteMultipartUpload') return honest(request)
    const uploadId = request.query.get('uploadId') ?? ''
    return {
      status: 200,
      body: `<CompleteMultipartUploadResult><ETag>"${uploadId}"</ETag></CompleteMultipartUploadResult>`,
    }
  },
  'leaves the last object out of listings': (operation, request, honest) =>
    operation === 'ListObjectsV2' ? lastListed(honest(request), () => '') : honest(request),
  'has the last object twice in listings': (operation, request, honest) =>
    operation === 'ListObjectsV2' ? lastListed(honest(request), (entry) => entry + entry) : honest(request),
  'lists every object as empty': (operation, request, honest) => {
    const answer = honest(request)
    if (operation !== 'ListObjectsV2') return answer
    return { ...answer, body: String(answer.body).replaceAll(/<Size>\d+</g, '<Size>0<') }
  },
} as const satisfies Readonly<Record<string, Lie>>

function isUpload(operation: Operation): boolean {
  return operation === 'UploadPart' || operation === 'PutObject'
}

/** And not the record of a run: who cannot even write that never begins. */
function isBackup({ key }: S3Request): boolean {
  return /\.zst$|\.manifest\.json$/.test(key)
}

/** Without the checksum, which would tell. */
function shortened(request: S3Request): S3Request {
  if (!isBackup(request)) return request
  const { 'x-amz-checksum-crc32': _, ...headers } = request.headers
  return { ...request, headers, body: request.body.subarray(0, -1) }
}

function lengthOf({ headers = {} }: S3Answer): number {
  return Number(headers['Content-Length'] ?? 0)
}

function lastListed({ body = '', ...answer }: S3Answer, change: (entry: string) => string): S3Answer {
  return { ...answer, body: String(body).replace(/<Contents>(?!.*<Contents>).*?<\/Contents>/, change) }
}
