import { crc32 } from 'node:zlib'
import { S3Error } from './error.ts'
import { listObjects } from './listing.ts'
import type { Operation } from './operation.ts'
import type { AtRest, CompletedPart, Store, StoredObject } from './store.ts'
import { textsOf, xmlDocument } from './xml.ts'

export interface S3Request {
  readonly bucket: string
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

export interface S3Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: Buffer | string
}

type Handler = (request: S3Request, store: Store, pageSize: number) => S3Answer

export const HANDLERS: Readonly<Record<Operation, Handler>> = {
  HeadBucket: () => ({ status: 200 }),
  GetBucketLocation: () => ({ status: 200, body: xmlDocument('LocationConstraint', {}) }),
  ListMultipartUploads: ({ bucket }, { uploads }) => {
    const found = [...uploads].map(([id, { key }]) => ({ Key: key, UploadId: id }))
    return { status: 200, body: xmlDocument('ListMultipartUploadsResult', { Bucket: bucket, Upload: found }) }
  },
  ListObjectsV2: listObjects,
  PutObject: ({ key, body, headers }, store) => {
    verifyChecksum(headers, body)
    const object = store.put(key, body, atRestOf(headers))
    return { status: 200, headers: { ETag: `"${object.etag}"` } }
  },
  HeadObject: ({ key }, store) => {
    const object = store.get(key)
    return { status: 200, headers: { ...headersOf(object), 'Content-Length': object.bytes.length } }
  },
  GetObject: getObject,
  DeleteObject: ({ key }, { objects }) => {
    objects.delete(key)
    return { status: 204 }
  },
  CreateMultipartUpload: ({ bucket, key, headers }, store) => {
    const UploadId = store.createUpload(key, atRestOf(headers))
    return { status: 200, body: xmlDocument('InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId }) }
  },
  UploadPart: ({ key, query, headers, body }, store) => {
    verifyChecksum(headers, body)
    const part = store.putPart(query.get('uploadId') ?? '', key, Number(query.get('partNumber')), body)
    const checksum = headers['x-amz-checksum-crc32']
    return {
      status: 200,
      headers: {
        ETag: `"${part.etag}"`,
        ...(typeof checksum === 'string' ? { 'x-amz-checksum-crc32': checksum } : {}),
      },
    }
  },
  CompleteMultipartUpload: ({ bucket, key, query, body }, store) => {
    const { etag } = store.complete(query.get('uploadId') ?? '', key, partsOf(body.toString()))
    const elements = { Bucket: bucket, Key: key, ETag: `"${etag}"` }
    return { status: 200, body: xmlDocument('CompleteMultipartUploadResult', elements) }
  },
  AbortMultipartUpload: ({ key, query }, store) => {
    const id = query.get('uploadId') ?? ''
    store.upload(id, key)
    store.uploads.delete(id)
    return { status: 204 }
  },
  ListParts: ({ bucket, key, query }, store) => {
    const id = query.get('uploadId') ?? ''
    const parts = [...store.upload(id, key).parts].sort(([a], [b]) => a - b)
    const Part = parts.map(([number, part]) => ({
      PartNumber: number,
      ETag: `"${part.etag}"`,
      Size: part.bytes.length,
      LastModified: part.modified.toISOString(),
    }))
    const elements = { Bucket: bucket, Key: key, UploadId: id, IsTruncated: false, Part }
    return { status: 200, body: xmlDocument('ListPartsResult', elements) }
  },
}

function getObject({ key, headers }: S3Request, store: Store): S3Answer {
  const object = store.get(key)
  const size = object.bytes.length
  const wanted = headers['if-match']
  if (wanted !== undefined && wanted !== `"${object.etag}"`) throw new S3Error(412, 'PreconditionFailed')
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(String(headers['range'] ?? '')) ?? []
  if (from === undefined) return { status: 200, headers: headersOf(object), body: object.bytes }
  const first = Number(from)
  if (first >= size) throw new S3Error(416, 'InvalidRange', 'The range is not satisfiable.')
  const last = to ? Math.min(Number(to), size - 1) : size - 1
  return {
    status: 206,
    headers: { ...headersOf(object), 'Content-Range': `bytes ${first}-${last}/${size}` },
    body: object.bytes.subarray(first, last + 1),
  }
}

function headersOf({ etag, modified, encryption }: StoredObject): Record<string, string> {
  return {
    ETag: `"${etag}"`,
    'Last-Modified': modified.toUTCString(),
    ...(encryption === undefined ? {} : { 'x-amz-server-side-encryption': encryption }),
  }
}

function atRestOf(headers: S3Request['headers']): AtRest {
  const encryption = headers['x-amz-server-side-encryption']
  const kmsKey = headers['x-amz-server-side-encryption-aws-kms-key-id']
  return {
    ...(typeof encryption === 'string' ? { encryption } : {}),
    ...(typeof kmsKey === 'string' ? { kmsKey } : {}),
  }
}

function verifyChecksum(headers: S3Request['headers'], body: Buffer): void {
  const declared = headers['x-amz-checksum-crc32']
  if (declared === undefined) return
  const actual = Buffer.alloc(4)
  actual.writeUInt32BE(crc32(body))
  if (declared !== actual.toString('base64')) throw new S3Error(400, 'BadDigest', 'The CRC32 does not match.')
}

function partsOf(xml: string): CompletedPart[] {
  const etags = textsOf(xml, 'ETag')
  return textsOf(xml, 'PartNumber').map((number, index) => ({ number: Number(number), etag: etags[index] ?? '' }))
}
