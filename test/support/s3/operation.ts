/** What a client asked for, as the S3 API names it. */
export type Operation =
  | 'HeadBucket'
  | 'ListObjectsV2'
  | 'ListMultipartUploads'
  | 'GetBucketLocation'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListParts'

/** The six S3 actions of Palette's documented IAM policy. */
export const PALETTE_ACTIONS: readonly string[] = [
  's3:GetObject',
  's3:ListBucket',
  's3:DeleteObject',
  's3:PutObject',
  's3:AbortMultipartUpload',
  's3:ListMultipartUploadParts',
]

/** Which IAM action allows an operation. */
export const ACTION_OF: Readonly<Record<Operation, string>> = {
  HeadBucket: 's3:ListBucket',
  ListObjectsV2: 's3:ListBucket',
  ListMultipartUploads: 's3:ListBucketMultipartUploads',
  GetBucketLocation: 's3:GetBucketLocation',
  PutObject: 's3:PutObject',
  GetObject: 's3:GetObject',
  HeadObject: 's3:GetObject',
  DeleteObject: 's3:DeleteObject',
  CreateMultipartUpload: 's3:PutObject',
  UploadPart: 's3:PutObject',
  CompleteMultipartUpload: 's3:PutObject',
  AbortMultipartUpload: 's3:AbortMultipartUpload',
  ListParts: 's3:ListMultipartUploadParts',
}

/** Undefined for anything that this double does not know. */
export function operationOf(method: string, key: string, query: URLSearchParams): Operation | undefined {
  return key === '' ? bucketOperation(method, query) : objectOperation(method, query)
}

function bucketOperation(method: string, query: URLSearchParams): Operation | undefined {
  if (method === 'HEAD') return 'HeadBucket'
  if (method !== 'GET') return undefined
  if (query.has('uploads')) return 'ListMultipartUploads'
  if (query.has('location')) return 'GetBucketLocation'
  return query.get('list-type') === '2' ? 'ListObjectsV2' : undefined
}

function objectOperation(method: string, query: URLSearchParams): Operation | undefined {
  const upload = query.has('uploadId')
  if (method === 'HEAD') return 'HeadObject'
  if (method === 'GET') return upload ? 'ListParts' : 'GetObject'
  if (method === 'PUT') return upload ? 'UploadPart' : 'PutObject'
  if (method === 'DELETE') return upload ? 'AbortMultipartUpload' : 'DeleteObject'
  if (method !== 'POST') return undefined
  if (query.has('uploads')) return 'CreateMultipartUpload'
  return upload ? 'CompleteMultipartUpload' : undefined
}
