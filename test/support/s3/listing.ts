import type { S3Answer, S3Request } from './handlers.ts'
import type { Store } from './store.ts'
import { xmlDocument } from './xml.ts'

/** ListObjectsV2. https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
export function listObjects({ bucket, query }: S3Request, { objects }: Store, pageSize: number): S3Answer {
  const prefix = query.get('prefix') ?? ''
  const delimiter = query.get('delimiter') ?? ''
  const after = decodeToken(query.get('continuation-token')) ?? query.get('start-after') ?? ''
  const limit = Math.min(Number(query.get('max-keys') ?? pageSize), pageSize)
  const names = namesBelow(
    [...objects.keys()].filter((key) => key.startsWith(prefix)),
    prefix,
    delimiter,
  )
  const left = names.filter((name) => compare(name, after) > 0)
  const page = left.slice(0, limit)
  const truncated = left.length > page.length
  const last = page.at(-1)
  const encode = query.get('encoding-type') === 'url' ? encodeURIComponent : (text: string) => text
  const elements = {
    Name: bucket,
    Prefix: prefix,
    KeyCount: page.length,
    MaxKeys: limit,
    IsTruncated: truncated,
    NextContinuationToken: truncated && last !== undefined ? Buffer.from(last).toString('base64url') : undefined,
    Contents: page.flatMap((key) => {
      const object = objects.get(key)
      if (!object || (delimiter !== '' && key.endsWith(delimiter))) return []
      const LastModified = object.modified.toISOString()
      return [{ Key: encode(key), LastModified, ETag: `"${object.etag}"`, Size: object.bytes.length }]
    }),
    CommonPrefixes: page.filter((name) => delimiter !== '' && name.endsWith(delimiter)).map((Prefix) => ({ Prefix })),
  }
  return { status: 200, body: xmlDocument('ListBucketResult', elements) }
}

function namesBelow(keys: readonly string[], prefix: string, delimiter: string): string[] {
  const names = keys.map((key) => {
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    return at < 0 ? key : key.slice(0, at + delimiter.length)
  })
  return [...new Set(names)].sort(compare)
}

/** By UTF-8 bytes, as S3 orders. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function decodeToken(token: string | null): string | undefined {
  return token === null ? undefined : Buffer.from(token, 'base64url').toString()
}
