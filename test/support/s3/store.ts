import { createHash, randomBytes } from 'node:crypto'
import { S3Error } from './error.ts'

/** How an object is kept at rest. */
export interface AtRest {
  readonly encryption?: string
  readonly kmsKey?: string
}

export interface StoredObject extends AtRest {
  readonly bytes: Buffer
  readonly etag: string
  readonly modified: Date
}

export interface Upload {
  readonly key: string
  readonly atRest: AtRest
  readonly parts: Map<number, StoredObject>
}

export interface CompletedPart {
  readonly number: number
  readonly etag: string
}

const SMALLEST_PART = 5 * 1024 * 1024

/** One bucket in memory. */
export class Store {
  readonly objects = new Map<string, StoredObject>()
  readonly uploads = new Map<string, Upload>()

  put(key: string, bytes: Buffer, atRest: AtRest = {}): StoredObject {
    const object = stored(bytes, md5(bytes).toString('hex'), atRest)
    this.objects.set(key, object)
    return object
  }

  get(key: string): StoredObject {
    const object = this.objects.get(key)
    if (!object) throw new S3Error(404, 'NoSuchKey', 'There is no such key.')
    return object
  }

  createUpload(key: string, atRest: AtRest = {}): string {
    const id = randomBytes(16).toString('hex')
    this.uploads.set(id, { key, atRest, parts: new Map() })
    return id
  }

  upload(id: string, key: string): Upload {
    const upload = this.uploads.get(id)
    if (upload?.key !== key) throw new S3Error(404, 'NoSuchUpload', 'There is no such upload.')
    return upload
  }

  putPart(id: string, key: string, number: number, bytes: Buffer): StoredObject {
    if (!(number >= 1 && number <= 10_000)) throw new S3Error(400, 'InvalidArgument', 'A part number is 1 to 10000.')
    const part = stored(bytes, md5(bytes).toString('hex'))
    this.upload(id, key).parts.set(number, part)
    return part
  }

  /** Rules of CompleteMultipartUpload: ascending numbers, the ETags of the parts, 5 MiB each but the last. */
  complete(id: string, key: string, wanted: readonly CompletedPart[]): StoredObject {
    const { parts, atRest } = this.upload(id, key)
    if (wanted.length === 0) throw new S3Error(400, 'MalformedXML', 'There are no parts.')
    const chosen = wanted.map(({ number, etag }, index) => {
      const part = parts.get(number)
      if (part?.etag !== etag.replaceAll('"', '')) throw new S3Error(400, 'InvalidPart', `Part ${number} differs.`)
      if (number <= (wanted[index - 1]?.number ?? 0)) throw new S3Error(400, 'InvalidPartOrder')
      if (index < wanted.length - 1 && part.bytes.length < SMALLEST_PART) throw new S3Error(400, 'EntityTooSmall')
      return part
    })
    const digest = md5(Buffer.concat(chosen.map((part) => Buffer.from(part.etag, 'hex')))).toString('hex')
    const object = stored(Buffer.concat(chosen.map((part) => part.bytes)), `${digest}-${chosen.length}`, atRest)
    this.objects.set(key, object)
    this.uploads.delete(id)
    return object
  }
}

function stored(bytes: Buffer, etag: string, atRest: AtRest = {}): StoredObject {
  return { bytes, etag, modified: new Date(), ...atRest }
}

function md5(bytes: Uint8Array): Buffer {
  return createHash('md5').update(bytes).digest()
}
