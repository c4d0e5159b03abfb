import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { KIB } from '../../core/units.ts'

/** Plain bytes of a chunk, and what encryption adds to it: age-encryption.org/v1, "Payload". */
export const CHUNK_BYTES = 64 * KIB
export const TAG_BYTES = 16
export const SEALED_BYTES = CHUNK_BYTES + TAG_BYTES
export const PAYLOAD_NONCE_BYTES = 16
const ALGORITHM = 'chacha20-poly1305'

/** The key of the payload, from the file key that the header wraps and the nonce before the first chunk. */
export function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', fileKey, nonce, 'payload', 32))
}

/**
 * The chunks of one payload (STREAM): each is encrypted with its number and whether it is the last, so that none can be
 * left out, repeated, moved or cut off unnoticed.
 */
export class ChunkSequence {
  readonly #key: Uint8Array
  /** 11 bytes of counter, big-endian, and one that is 1 in the last chunk. */
  readonly #nonce = Buffer.alloc(12)
  #count = 0

  constructor(key: Uint8Array) {
    this.#key = key
  }

  /** How many chunks there were so far. */
  get count(): number {
    return this.#count
  }

  /** Writes the encrypted chunk to the beginning of `to`; gives its length. */
  seal(plain: Uint8Array, last: boolean, to: Uint8Array): number {
    const cipher = createCipheriv(ALGORITHM, this.#key, this.#next(last), { authTagLength: TAG_BYTES })
    to.set(cipher.update(plain))
    cipher.final()
    to.set(cipher.getAuthTag(), plain.length)
    return plain.length + TAG_BYTES
  }

  /** Throws when it is not the next chunk, or has been changed. */
  open(sealed: Uint8Array, last: boolean): Buffer {
    const decipher = createDecipheriv(ALGORITHM, this.#key, this.#next(last), { authTagLength: TAG_BYTES })
    const end = sealed.length - TAG_BYTES
    decipher.setAuthTag(sealed.subarray(end))
    const plain = decipher.update(sealed.subarray(0, end))
    decipher.final()
    return plain
  }

  #next(last: boolean): Uint8Array {
    // Six of the eleven bytes: 2^48 chunks are more than anybody stores.
    this.#nonce.writeUIntBE(this.#count, 5, 6)
    this.#nonce[11] = last ? 1 : 0
    this.#count += 1
    return this.#nonce
  }
}
