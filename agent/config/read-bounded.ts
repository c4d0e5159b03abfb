import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Larger than what was asked for. */
export class TooLarge extends Error {}

/** The content of a file, read no further than `limit` bytes: what is named may be a device that never ends. */
export async function readBounded(file: string, limit: number): Promise<Buffer> {
  await using handle = await open(file)
  const chunks: Buffer[] = []
  let size = 0
  while (size <= limit) {
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.allocUnsafe(64 * 1024) })
    if (bytesRead === 0) return Buffer.concat(chunks)
    chunks.push(buffer.subarray(0, bytesRead))
    size += bytesRead
  }
  throw new TooLarge(`${file} is larger than ${limit} bytes`)
}

/** What a file holds, told from anything else it could hold: SHA-256 of its bytes, hexadecimal. */
export function digestOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

/** In place of a digest, for what cannot be read or is too large. */
export const NO_CONTENT = 'none'

export async function readDigest(file: string, limit: number): Promise<string> {
  return await readBounded(file, limit).then(digestOf, () => NO_CONTENT)
}
