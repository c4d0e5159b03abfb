import { inMemory, STATE_BYTES } from './document-memory.ts'

const SUM_OFFSET = 32

/**
 * A digest of a set of documents that does not depend on their order: the sum modulo 2^128 of the SipHash-1-3-128 of
 * each document's bytes, with the key 00 01 .. 0f. Backup and restore read a collection in different orders; a lost, added,
 * doubled or changed document changes the sum. docs/decisions/0004 says why this one. The loop is WebAssembly:
 * document-digest.wat.
 */
export class DocumentDigest {
  readonly #state = new Uint8Array(STATE_BYTES)

  /** Takes the bytes of whole documents one after another, cut anywhere. Each must begin with its true length. */
  update(bytes: Uint8Array): void {
    inMemory(bytes, (memory, part) => memory.digest(this.#state, part))
  }

  /**
   * The sum over the documents that are complete: `sip128:` and its 16 bytes in hexadecimal, lowest first. Of a single
   * document that is what `openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16
   * -macopt c-rounds:1 -macopt d-rounds:3 SIPHASH` prints.
   */
  digest(): string {
    return `sip128:${Buffer.from(this.#state.subarray(SUM_OFFSET, SUM_OFFSET + 16)).toString('hex')}`
  }
}
