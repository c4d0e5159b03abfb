import type { Readable } from 'node:stream'
import { finished } from 'node:stream'
import { BufferPool, recycle } from '../core/buffer-pool.ts'
import { KIB } from '../core/units.ts'
import type { SilenceOptions } from './abortable.ts'
import { abortable } from './abortable.ts'

const GATHERED_BYTES = 256 * KIB
const pool = new BufferPool(GATHERED_BYTES, 8)

/**
 * What comes in on a connection, in chunks of 256 KiB and a shorter one at its end; whoever has read one for the last
 * time may recycle it. Waiting ends with the signal and at the limit for silence. What came before a failure is given
 * first, so that who goes on later need not ask for it again.
 */
export async function* received(
  connection: Readable,
  signal: AbortSignal,
  silence: SilenceOptions,
): AsyncGenerator<Uint8Array> {
  let gathered = pool.take()
  let filled = 0
  // In memory of its own: most objects are small, and who keeps a manifest must not keep all of that.
  const rest = (): Uint8Array => Buffer.from(gathered.subarray(0, filled))
  try {
    for await (const chunk of abortable(chunksOf(connection), signal, silence)) {
      for (let start = 0; start < chunk.length; ) {
        const part = chunk.subarray(start, start + GATHERED_BYTES - filled)
        gathered.set(part, filled)
        filled += part.length
        start += part.length
        if (filled < GATHERED_BYTES) continue
        yield gathered
        gathered = pool.take()
        filled = 0
      }
      free(chunk)
    }
  } catch (thrown) {
    if (filled > 0) yield rest()
    throw thrown
  }
  if (filled > 0) yield rest()
  recycle(gathered)
}

/** The chunks as they came in. The stream's own iterator joins those that have waited, in new memory each time. */
async function* chunksOf(stream: Readable): AsyncGenerator<Uint8Array> {
  const waiting: Uint8Array[] = []
  let ended = false
  let failure: unknown
  let wake: () => void = () => undefined
  stream.on('data', (chunk: Uint8Array) => {
    stream.pause()
    waiting.push(chunk)
    wake()
  })
  const forget = finished(stream, { writable: false }, (thrown) => {
    ended = true
    failure = thrown ?? undefined
    wake()
  })
  try {
    for (;;) {
      const chunk = waiting.shift()
      if (chunk) yield chunk
      else if (failure !== undefined) throw failure
      else if (ended) return
      else {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        stream.resume()
        await promise
      }
    }
  } finally {
    forget()
    stream.destroy()
  }
}

/** Gives memory back at once that only this chunk uses. Left to the garbage collector, tens of megabytes pile up. */
function free({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0)
}
