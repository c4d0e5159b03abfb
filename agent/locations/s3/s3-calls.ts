import { Readable } from 'node:stream'
import type { ChecksumAlgorithm, CompletedPart } from '@aws-sdk/client-s3'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { S3LocationConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import type { Call, Download, ListPage, ObjectFacts, Wanted } from './answers.ts'
import { factsOf, isNoSuchUpload, unexpected } from './answers.ts'
import { ChecksumMode } from './checksum-mode.ts'
import { httpStatusOf, s3Failure } from './classify.ts'
import { createClient } from './client.ts'
import type { Connections } from './connections.ts'
import { createConnections, schemeOf, unreachableHint } from './connections.ts'

export interface S3CallsOptions {
  readonly clock: Clock
  readonly silenceMs: number
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Of what is not there, S3 says so only to who may list the bucket; others are refused as if they might not read. */
const READING = 's3:GetObject and s3:ListBucket'
// A send buffer of 4 MiB, the most that Linux gives by default, takes 64 seconds at 64 KiB/s.
const UPLOAD_PATIENCE = 4

/**
 * The requests that Palette's documented IAM policy allows, and no others: GetObject, ListBucket, DeleteObject,
 * PutObject, AbortMultipartUpload, ListMultipartUploadParts. Each is made once; keys are those of the bucket.
 */
export class S3Calls {
  readonly #config: S3LocationConfig
  readonly #options: S3CallsOptions
  readonly #checksums = new ChecksumMode()
  readonly #connections: Connections
  readonly #client: S3Client
  /** With more patience: what the system has taken from us and not yet sent looks like silence. */
  readonly #uploads: S3Client
  /** Without a limit for silence on the socket: a reader that pauses a download is not the server's fault. */
  readonly #downloads: S3Client

  constructor(config: S3LocationConfig, options: S3CallsOptions) {
    this.#config = config
    this.#options = options
    const { silenceMs, env } = options
    const checksums = this.#checksums
    const scheme = schemeOf(config)
    const ca = config.caCert === undefined ? {} : { caCert: config.caCert }
    this.#connections = createConnections({ ...ca, env, scheme, silenceMs })
    this.#client = createClient(config, { checksums, connections: this.#connections })
    const uploads = createConnections({ ...ca, env, scheme, silenceMs: silenceMs * UPLOAD_PATIENCE })
    this.#uploads = createClient(config, { checksums, connections: uploads })
    const downloads = createConnections({ ...ca, env, scheme, silenceMs: 0, downloads: true })
    this.#downloads = createClient(config, { checksums, connections: downloads })
  }

  async putObject(key: string, body: Buffer, call: Call): Promise<string | undefined> {
    const input = { ...this.#object(key), ...this.#encryption(), Body: body }
    const { ETag } = await this.#run('s3:PutObject', call, (options) =>
      this.#uploads.send(new PutObjectCommand({ ...input }), options),
    )
    return ETag || undefined
  }

  /** Undefined when there is no such object, or no such bucket: the answer to HEAD does not tell them apart. */
  async headObject(key: string, call: Call): Promise<ObjectFacts | undefined> {
    try {
      const found = await this.#run(READING, call, (options) =>
        this.#client.send(new HeadObjectCommand(this.#object(key)), options),
      )
      return {
        ...factsOf(found.ContentLength, found.LastModified, call),
        ...(found.ETag ? { etag: found.ETag } : {}),
        ...(found.ServerSideEncryption ? { encryption: found.ServerSideEncryption } : {}),
      }
    } catch (thrown) {
      if (thrown instanceof Failure && httpStatusOf(thrown.cause) === 404) return undefined
      throw await this.#narrowed(thrown, key, call)
    }
  }

  /** Undefined when the object has no byte at the offset. Rejects when it is no longer the one with the ETag. */
  async getObject(key: string, wanted: Wanted, call: Call): Promise<Download | undefined> {
    const { offset, etag } = wanted
    const range = offset > 0 ? { Range: `bytes=${offset}-` } : {}
    const match = etag === undefined ? {} : { IfMatch: etag }
    const { clock, silenceMs } = this.#options
    const late = (): Failure =>
      new Failure(`${call.doing}: no answer in time`, { code: 'unreachable', retryable: true })
    try {
      const found = await withTimeout(clock, silenceMs, call.signal, late, (signal) =>
        this.#run(READING, { ...call, signal }, (options) =>
          this.#downloads.send(new GetObjectCommand({ ...this.#object(key), ...range, ...match }), options),
        ),
      )
      if (!(found.Body instanceof Readable)) throw unexpected(call, 'without a body')
      if (offset > 0 && !found.ContentRange?.startsWith(`bytes ${offset}-`)) {
        found.Body.destroy()
        throw new Failure(`${call.doing}: the server does not give parts of objects`, { code: 'unsupported' })
      }
      return {
        body: found.Body,
        ...(found.ContentLength === undefined ? {} : { length: found.ContentLength }),
        ...(found.ETag ? { etag: found.ETag } : {}),
      }
    } catch (thrown) {
      if (thrown instanceof Failure && httpStatusOf(thrown.cause) === 416) return undefined
      throw await this.#narrowed(thrown, key, call)
    }
  }

  async listPage(prefix: string, token: string | undefined, call: Call, limit?: number): Promise<ListPage> {
    const found = await this.#run('s3:ListBucket', call, (options) => {
      const more = {
        ...(token === undefined ? {} : { ContinuationToken: token }),
        ...(limit === undefined ? {} : { MaxKeys: limit }),
      }
      const command = new ListObjectsV2Command({ Bucket: this.#config.bucketName, Prefix: prefix, ...more })
      return this.#client.send(command, options)
    })
    // A page of a proxy or a portal parses as a listing of nothing; every listing says whether it goes on.
    if (found.IsTruncated === undefined) throw unexpected(call, 'with something that is no listing')
    const objects = (found.Contents ?? []).map(({ Key, Size, LastModified }) => {
      if (Key === undefined) throw unexpected(call, 'with an object that has no key')
      return { key: Key, ...factsOf(Size, LastModified, call) }
    })
    const next = found.NextContinuationToken
    return { objects, truncated: found.IsTruncated, ...(next === undefined ? {} : { next }) }
  }

  async deleteObject(key: string, call: Call): Promise<void> {
    await this.#run('s3:DeleteObject', call, (options) =>
      this.#client.send(new DeleteObjectCommand(this.#object(key)), options),
    )
  }

  /** The id of a new upload. */
  async createUpload(key: string, call: Call): Promise<string> {
    const { UploadId } = await this.#run('s3:PutObject', call, (options) => {
      const checksum: { ChecksumAlgorithm?: ChecksumAlgorithm } =
        this.#checksums.current === 'WHEN_SUPPORTED' ? { ChecksumAlgorithm: 'CRC32' } : {}
      const input = { ...this.#object(key), ...this.#encryption(), ...checksum }
      return this.#client.send(new CreateMultipartUploadCommand(input), options)
    })
    if (!UploadId) throw unexpected(call, 'without an upload id')
    return UploadId
  }

  async uploadPart(key: string, uploadId: string, number: number, body: Buffer, call: Call): Promise<CompletedPart> {
    const input = { ...this.#object(key), UploadId: uploadId, PartNumber: number, Body: body }
    const { ETag, ChecksumCRC32 } = await this.#run('s3:PutObject', call, (options) =>
      this.#uploads.send(new UploadPartCommand({ ...input }), options),
    )
    if (!ETag) throw unexpected(call, `to part ${number} without an ETag`)
    return { PartNumber: number, ETag, ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }) }
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly CompletedPart[],
    call: Call,
  ): Promise<string | undefined> {
    const input = { ...this.#object(key), UploadId: uploadId, MultipartUpload: { Parts: [...parts] } }
    const { ETag } = await this.#run('s3:PutObject', call, (options) =>
      this.#client.send(new CompleteMultipartUploadCommand({ ...input }), options),
    )
    return ETag || undefined
  }

  /** Succeeds when there is no such upload any more. */
  async abortUpload(key: string, uploadId: string, call: Call): Promise<void> {
    const input = { ...this.#object(key), UploadId: uploadId }
    try {
      await this.#run('s3:AbortMultipartUpload', call, (options) =>
        this.#client.send(new AbortMultipartUploadCommand(input), options),
      )
    } catch (thrown) {
      if (isNoSuchUpload(thrown)) return
      throw thrown
    }
  }

  async uploadExists(key: string, uploadId: string, call: Call): Promise<boolean> {
    const input = { ...this.#object(key), UploadId: uploadId, MaxParts: 1 }
    try {
      await this.#run('s3:ListMultipartUploadParts', call, (options) =>
        this.#client.send(new ListPartsCommand(input), options),
      )
      return true
    } catch (thrown) {
      if (isNoSuchUpload(thrown)) return false
      throw thrown
    }
  }

  /** What a call, or the stream that came of it, was rejected with. */
  failureOf(thrown: unknown, doing: string, actions: string): Failure {
    const { bucketName: bucket, region, serverSideEncryption } = this.#config
    const encrypted = serverSideEncryption !== undefined
    return s3Failure(thrown, doing, {
      bucket,
      region,
      actions,
      encrypted,
      unreachableHint: unreachableHint(this.#config, this.#connections),
    })
  }

  /** How the server was found to differ, and how it is spoken to. */
  facts(): readonly string[] {
    return [this.#checksums.describe(), ...this.#connections.facts()]
  }

  close(): void {
    this.#client.destroy()
    this.#uploads.destroy()
    this.#downloads.destroy()
  }

  async #run<T>(
    actions: string,
    { doing, signal }: Call,
    request: (options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal, doing)
    try {
      return await this.#checksums.run(() => request({ abortSignal: signal }))
    } catch (thrown) {
      throwIfAborted(signal, doing)
      throw this.failureOf(thrown, doing, actions)
    }
  }

  /** What is refused to a reader may be either right: where a listing is allowed, it is the one to read. */
  async #narrowed(thrown: unknown, key: string, call: Call): Promise<unknown> {
    if (!(thrown instanceof Failure) || thrown.code !== 'permission') return thrown
    const listed = await this.listPage(key, undefined, call, 1).catch(() => undefined)
    return listed ? this.failureOf(thrown.cause, call.doing, 's3:GetObject') : thrown
  }

  #object(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#config.bucketName, Key: key }
  }

  #encryption(): { ServerSideEncryption?: 'AES256' | 'aws:kms'; SSEKMSKeyId?: string } {
    const { serverSideEncryption, kmsKeyId } = this.#config
    return {
      ...(serverSideEncryption === undefined ? {} : { ServerSideEncryption: serverSideEncryption }),
      ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    }
  }
}
