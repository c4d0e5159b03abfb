import { Crc64 } from './crc64.ts'
import { DocumentDigest } from './document-digest.ts'
import { inMemory } from './document-memory.ts'

/** Checksum and digest of the documents of a collection; what lies elsewhere is brought before both of them once. */
export class DocumentSums {
  readonly #crc = new Crc64()
  readonly #digest = new DocumentDigest()

  update(run: Uint8Array): void {
    inMemory(run, (_, part) => {
      this.#crc.update(part)
      this.#digest.update(part)
    })
  }

  crc64(): bigint {
    return this.#crc.digest()
  }

  digest(): string {
    return this.#digest.digest()
  }
}
