import { randomBytes } from 'node:crypto'
import { CHUNK_BYTES, ChunkSequence, PAYLOAD_NONCE_BYTES, payloadKey, SEALED_BYTES, TAG_BYTES } from './payload.ts'
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
  // The last chunk is marked and never empty, unless all is: what may be the last one waits until more has come.
  const waiting = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  let filled = 0
  for await (const bytes of source) {
    if (filled + bytes.length <= CHUNK_BYTES) {
      waiting.set(bytes, filled)
      filled += bytes.length
      continue
    }
    const sealed = Buffer.allocUnsafeSlow(roomFor(filled + bytes.length))
    let start = 0
    let written = 0
    if (filled > 0) {
      start = CHUNK_BYTES - filled
      waiting.set(bytes.subarray(0, start), filled)
      written += chunks.seal(waiting, false, sealed)
    }
    for (; bytes.length - start > CHUNK_BYTES; start += CHUNK_BYTES) {
      written += chunks.seal(bytes.subarray(start, start + CHUNK_BYTES), false, sealed.subarray(written))
    }
    waiting.set(bytes.subarray(start))
    filled = bytes.length - start
    yield sealed.subarray(0, written)
  }
  const last = Buffer.allocUnsafeSlow(filled + TAG_BYTES)
  chunks.seal(waiting.subarray(0, filled), true, last)
  yield last
}

/** Rounded up, so that memory of few sizes is asked for: holes that thousands of sizes leave are filled by none. */
function roomFor(plainBytes: number): number {
  return Math.ceil(plainBytes / (8 * CHUNK_BYTES)) * 8 * SEALED_BYTES
}
