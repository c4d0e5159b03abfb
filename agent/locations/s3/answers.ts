import type { Readable } from 'node:stream'
import { Failure } from '../../core/errors.ts'
import { s3ErrorName } from './classify.ts'

/** What every call is told: how its failures begin, and when to stop. */
export interface Call {
  readonly doing: string
  readonly signal: AbortSignal
}

export interface ObjectFacts {
  readonly sizeBytes: number
  readonly modified?: Date
  readonly etag?: string
  /** What it is encrypted with at rest, where the server says so. */
  readonly encryption?: string
}

interface ListedObject extends ObjectFacts {
  readonly key: string
}

export interface ListPage {
  readonly objects: readonly ListedObject[]
  readonly truncated: boolean
  readonly next?: string
}

export interface Wanted {
  /** First byte. */
  readonly offset: number
  readonly etag?: string
}

export interface Download {
  readonly body: Readable
  readonly etag?: string
  /** Bytes that are to come, where the server says so. */
  readonly length?: number
}

/** radosgw says NoSuchKey for an upload that was aborted before. */
export function isNoSuchUpload(thrown: unknown): boolean {
  return thrown instanceof Failure && ['NoSuchUpload', 'NoSuchKey'].includes(s3ErrorName(thrown.cause))
}

/** Rejects an answer that does not say how large the object is. */
export function factsOf(size: number | undefined, modified: Date | undefined, call: Call): ObjectFacts {
  if (size === undefined) throw unexpected(call, 'without a size')
  return { sizeBytes: size, ...(modified === undefined ? {} : { modified }) }
}

/** For an answer that is not one of S3: of a proxy, a portal, or a server in trouble. */
export function unexpected({ doing }: Call, how: string): Failure {
  return new Failure(`${doing}: the server answered ${how}`, { code: 'unavailable', retryable: true })
}
