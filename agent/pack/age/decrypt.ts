import { Failure } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import { KIB } from '../../core/units.ts'
import { ChunkSequence, PAYLOAD_NONCE_BYTES, payloadKey, SEALED_BYTES, TAG_BYTES } from './payload.ts'
import { openHeader } from './recipients.ts'

/** A header has about 150 bytes for each recipient, 2 KiB for a post-quantum one. */
const LARGEST_HEADER = 64 * KIB
const VERSION_LINE = 'age-encryption.org/v1\n'

/**
 * Decrypts what `encrypt`, or the age tool, made. No byte is yielded that is not proven to be what was encrypted there;
 * rejects with code `damaged` and the offset when a chunk was changed, moved, or left out at the end.
 */
export async function* decrypt(
  source: AsyncIterable<Uint8Array>,
  identity: Secret | undefined,
  where: string,
): AsyncGenerator<Uint8Array> {
  const reader = new Pending(source)
  try {
    const header = await readHeader(reader, where)
    if (!identity) throw noIdentity(where)
    const fileKey = await openHeader(header, identity, where)
    const nonce = await reader.upTo(PAYLOAD_NONCE_BYTES)
    if (nonce.length < PAYLOAD_NONCE_BYTES) throw damaged(where, header.length, 'it ends within the nonce')
    const chunks = new ChunkSequence(payloadKey(fileKey, nonce))
    const start = header.length + PAYLOAD_NONCE_BYTES
    for (let last = false; !last; ) {
      const sealed = await reader.upTo(SEALED_BYTES)
      last = await reader.atEnd()
      yield openChunk(chunks, sealed, last, start + chunks.count * SEALED_BYTES, where)
    }
  } finally {
    await reader.close()
  }
}

function openChunk(
  chunks: ChunkSequence,
  sealed: Uint8Array,
  last: boolean,
  offset: number,
  where: string,
): Uint8Array {
  const first = chunks.count === 0
  if (sealed.length < TAG_BYTES || (sealed.length === TAG_BYTES && !first)) {
    throw damaged(where, offset, 'it ends in the middle')
  }
  try {
    return chunks.open(sealed, last)
  } catch {
    throw damaged(
      where,
      offset,
      last ? 'the last chunk is not what was encrypted' : 'a chunk is not what was encrypted',
    )
  }
}

async function readHeader(reader: Pending, where: string): Promise<Uint8Array> {
  const header = await reader.through(endOfHeader, LARGEST_HEADER)
  if (!header) throw damaged(where, 0, 'it does not begin like an age file')
  // The library reads a scrypt stanza too; only a person can answer it, and runs have none.
  if (Buffer.from(header).includes('\n-> scrypt ')) {
    throw new Failure(`${where}: it is encrypted with a passphrase`, {
      code: 'unsupported',
      hint: 'Backups are for key pairs, because nobody is there to type when one is proven at night. Use: age -d',
    })
  }
  return header
}

/** Where a header ends: behind the line of its checksum. `-1`: not yet; undefined: it is none. */
function endOfHeader(bytes: Buffer): number | undefined {
  const known = bytes.subarray(0, VERSION_LINE.length).toString('latin1')
  if (!VERSION_LINE.startsWith(known)) return undefined
  const line = bytes.indexOf('\n--- ')
  const end = line < 0 ? -1 : bytes.indexOf('\n', line + 1)
  return end < 0 ? -1 : end + 1
}

function noIdentity(where: string): Failure {
  return new Failure(`${where} is encrypted, and no age identity was given`, {
    code: 'config',
    hint: 'Give --identity-file, the variable PALETTE_BACKUP_AGE_IDENTITY, or provider.palette.age_identity.',
  })
}

function damaged(where: string, offset: number, why: string): Failure {
  return new Failure(`${where}: age stream at byte ${offset}: ${why}`, { code: 'damaged' })
}

/** What was read of a stream and is not used yet. */
class Pending {
  readonly #chunks: AsyncIterator<Uint8Array>
  #bytes: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** So many bytes, fewer only at the end of the stream. */
  async upTo(length: number): Promise<Uint8Array> {
    while (this.#bytes.length < length && (await this.#more()));
    return this.#take(Math.min(length, this.#bytes.length))
  }

  /** The bytes up to where `end` says; undefined when it never says, or only behind `limit`. */
  async through(end: (bytes: Buffer) => number | undefined, limit: number): Promise<Uint8Array | undefined> {
    for (;;) {
      const at = end(this.#bytes.subarray(0, limit))
      if (at !== undefined && at > 0) return this.#take(at)
      if (at === undefined || this.#bytes.length >= limit || !(await this.#more())) return undefined
    }
  }

  async atEnd(): Promise<boolean> {
    while (this.#bytes.length === 0) if (!(await this.#more())) return true
    return false
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  #take(length: number): Uint8Array {
    const taken = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    return taken
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next()
    if (done) return false
    const next = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    this.#bytes = this.#bytes.length === 0 ? next : Buffer.concat([this.#bytes, next])
    return true
  }
}
