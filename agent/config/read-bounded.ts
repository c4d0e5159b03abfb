import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { errnoOf } from '../core/errors.ts'

/** Larger than what was asked for. */
export class TooLarge extends Error {}

/** Where somebody else writes, or nobody ever does: opening it would wait, and nothing could end that. */
class NamedPipe extends Error {}

/** The content of a file, read no further than `limit` bytes: what is named may be a device that never ends. */
export async function readBounded(file: string, limit: number): Promise<Buffer> {
  // Those below /dev are the shell's, and there is something at their other end.
  if (!file.startsWith('/dev/') && (await stat(file)).isFIFO()) throw new NamedPipe(`${file} is a pipe`)
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

/** Why a file cannot be read, as the end of a sentence. */
export function explainUnreadable(cause: unknown): string {
  if (cause instanceof NamedPipe) return 'this is a pipe, not a file'
  const code = errnoOf(cause)
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES' || code === 'EPERM') return 'no permission to read it'
  if (code === 'EISDIR') return 'this is a directory'
  return `reading failed (${code ?? 'unknown'})`
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
