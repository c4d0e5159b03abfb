import { S3Error } from './error.ts'
import type { S3Answer, S3Request } from './handlers.ts'
import type { Operation } from './operation.ts'

/** Ways in which servers were seen to differ from Amazon S3. */
export type Quirk =
  /** radosgw: the answer to CompleteMultipartUpload has an empty ETag. */
  | 'empty-etag-on-complete'
  /** radosgw: ListParts of an aborted upload says NoSuchKey. */
  | 'no-such-key-for-upload'
  /** radosgw: errors without a text. */
  | 'errors-without-text'
  /** Swift: 501 for headers of server-side encryption. */
  | 'no-encryption'
  /** Takes the header of server-side encryption and keeps the object in clear. */
  | 'ignores-encryption'
  /** A gateway that always sends objects whole. */
  | 'ignores-range'
  /** radosgw: no checksum is given back. */
  | 'no-checksums-returned'

interface Behaviour {
  readonly before?: (operation: Operation, request: S3Request) => void
  readonly after?: (operation: Operation, answer: S3Answer) => S3Answer
  readonly refused?: (error: S3Error) => S3Error
}

export const QUIRKS: Readonly<Record<Quirk, Behaviour>> = {
  'empty-etag-on-complete': {
    after: (operation, answer) =>
      operation === 'CompleteMultipartUpload'
        ? { ...answer, body: String(answer.body).replace(/<ETag>.*<\/ETag>/, '<ETag></ETag>') }
        : answer,
  },
  'no-such-key-for-upload': {
    refused: (error) => (error.code === 'NoSuchUpload' ? new S3Error(404, 'NoSuchKey') : error),
  },
  'errors-without-text': { refused: ({ status, code }) => new S3Error(status, code, '') },
  'no-encryption': {
    before: (_operation, { headers }) => {
      if (headers['x-amz-server-side-encryption'] === undefined) return
      throw new S3Error(501, 'NotImplemented', 'The requested resource is not implemented')
    },
  },
  'ignores-encryption': { after: (_operation, answer) => without(answer, 'x-amz-server-side-encryption') },
  'ignores-range': {
    before: (operation, { headers }) => {
      if (operation === 'GetObject') Object.assign(headers, { range: undefined })
    },
  },
  'no-checksums-returned': { after: (_operation, answer) => without(answer, 'x-amz-checksum-crc32') },
}

function without(answer: S3Answer, header: string): S3Answer {
  const headers = Object.entries(answer.headers ?? {}).filter(([name]) => name !== header)
  return { ...answer, headers: Object.fromEntries(headers) }
}
