import { closeSync, openSync, readSync } from 'node:fs'

/** A file, read as curl and rclone read it, into the same memory again and again: what is measured is the location. */
export async function* contentOf(path: string): AsyncGenerator<Uint8Array> {
  const file = openSync(path, 'r')
  const memory = Buffer.allocUnsafeSlow(256 * 1024)
  for (let length = readSync(file, memory); length > 0; length = readSync(file, memory)) {
    yield memory.subarray(0, length)
  }
  closeSync(file)
}
