import { randomBytes } from 'node:crypto'
import { CHUNK_BYTES, ChunkSequence, PAYLOAD_NONCE_BYTES, payloadKey } from './payload.ts'
import { sealHeader } from './recipients.ts'

/**
 * Encrypts a stream for the holders of any one of the recipients' identities, in the format age-encryption.org/v1:
 * `age -d` opens it. Holds one chunk of 64 KiB and what it was just given.
 */
export async function* encrypt(
  source: AsyncIterable<Uint8Array>,
  recipients: readonly string[],
): AsyncGenerator<Uint8Array> {
  const { header, fileKey } = await sealHeader(recipients)
  const nonce = randomBytes(PAYLOAD_NONCE_BYTES)
  const chunks = new ChunkSequence(payloadKey(fileKey, nonce))
  yield Buffer.concat([header, nonce])
  // The last chunk is marked and never empty, unless all is: one is kept back until more has come.
  let pending: Uint8Array = new Uint8Array(0)
  for await (const bytes of source) {
    const sealed: Uint8Array[] = []
    let start = 0
    if (pending.length > 0) {
      start = Math.min(CHUNK_BYTES - pending.length, bytes.length)
      pending = Buffer.concat([pending, bytes.subarray(0, start)])
      if (start === bytes.length) continue
      sealed.push(...chunks.seal(pending, false))
      pending = new Uint8Array(0)
    }
    for (; bytes.length - start > CHUNK_BYTES; start += CHUNK_BYTES) {
      sealed.push(...chunks.seal(bytes.subarray(start, start + CHUNK_BYTES), false))
    }
    pending = Buffer.from(bytes.subarray(start))
    if (sealed.length > 0) yield Buffer.concat(sealed)
  }
  yield Buffer.concat(chunks.seal(pending, true))
}
