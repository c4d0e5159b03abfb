import { once } from 'node:events'
import type { DataConnection } from './data-port.ts'
import type { Effect } from './faults.ts'
import type { FtpFile } from './tree.ts'

const CHUNK_BYTES = 64 * 1024

/** How a transfer went: the final reply, or silence. */
export type Outcome = { readonly code: number; readonly text: string } | 'silence'

const DONE = { code: 226, text: 'Transfer complete.' }
const CUT = { code: 426, text: 'Failure reading network stream.' }
const NEVER = new Promise<never>(() => undefined)

/** Takes what the client sends until it closes. `roomBytes`: what the disk still holds. */
export async function receive(
  { stream, reset }: DataConnection,
  file: FtpFile,
  effect: Effect | undefined,
  roomBytes: number,
): Promise<Outcome> {
  let room = roomBytes
  let received = 0
  try {
    for await (const chunk of stream) {
      if (!Buffer.isBuffer(chunk)) throw new Error('the data connection was given an encoding')
      if (effect?.kind === 'truncate') {
        file.append(chunk.subarray(0, Math.max(0, effect.bytes - received)))
        received += chunk.length
        if (effect.claim) file.claimedBytes = received
        continue
      }
      if (effect?.kind === 'silence' && file.sizeBytes + chunk.length > effect.bytes) return await NEVER
      if (effect?.kind === 'cut' && file.sizeBytes + chunk.length > effect.bytes) {
        file.append(chunk.subarray(0, effect.bytes - file.sizeBytes))
        reset()
        return { code: effect.code ?? CUT.code, text: effect.text ?? CUT.text }
      }
      if (chunk.length > room) {
        file.append(chunk.subarray(0, room))
        reset()
        return { code: 452, text: 'No space left on device.' }
      }
      room -= chunk.length
      file.append(chunk)
    }
    return DONE
  } catch {
    return CUT
  } finally {
    stream.destroy()
  }
}

/** Sends the bytes and closes. */
export async function send(
  { stream, reset }: DataConnection,
  bytes: Buffer,
  effect: Effect | undefined,
): Promise<Outcome> {
  const limited = effect?.kind === 'cut' || effect?.kind === 'silence' || effect?.kind === 'truncate'
  const sent = limited ? bytes.subarray(0, effect.bytes) : changed(bytes, effect)
  const closed = once(stream, 'close')
  closed.catch(() => undefined)
  for (let at = 0; at < sent.length; at += CHUNK_BYTES) {
    if (stream.destroyed) return CUT
    if (!stream.write(sent.subarray(at, at + CHUNK_BYTES))) {
      await Promise.race([once(stream, 'drain'), closed]).catch(() => undefined)
    }
  }
  if (effect?.kind === 'silence') return 'silence'
  if (effect?.kind === 'cut') {
    // A reset overtakes what still waits to be sent.
    await new Promise((resolve) => setTimeout(resolve, 20))
    reset()
    return { code: effect.code ?? CUT.code, text: effect.text ?? CUT.text }
  }
  if (stream.destroyed) return CUT
  stream.end()
  stream.resume()
  await closed.catch(() => undefined)
  return DONE
}

function changed(bytes: Buffer, effect: Effect | undefined): Buffer {
  if (effect?.kind === 'flip') {
    const copy = Buffer.from(bytes)
    const at = Math.min(effect.at, copy.length - 1)
    copy.writeUInt8(copy.readUInt8(at) ^ 1, at)
    return copy
  }
  if (effect?.kind === 'lines') {
    const lines = bytes.toString().split(/(?<=\r\n)/)
    const last = lines.slice(-1)
    return Buffer.from((effect.last === 'missing' ? lines.slice(0, -1) : [...lines, ...last]).join(''))
  }
  return bytes
}
