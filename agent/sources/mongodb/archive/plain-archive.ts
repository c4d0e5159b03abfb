import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Failure, isAbort } from '../../../core/errors.ts'

/** RFC 1952, section 2.3.1. */
const GZIP = Buffer.from([0x1f, 0x8b])

/** An archive as it is, or the archive in the gzip that `mongodump --gzip --archive` makes of it. */
export async function* plainArchive(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]()
  try {
    let start: Uint8Array = new Uint8Array()
    while (start.length < GZIP.length) {
      const { value, done } = await chunks.next()
      if (done) break
      start = start.length === 0 ? value : Buffer.concat([start, value])
    }
    const whole = rest(start, chunks)
    if (Buffer.compare(start.subarray(0, GZIP.length), GZIP) === 0) yield* gunzip(whole)
    else yield* whole
  } finally {
    await chunks.return?.()
  }
}

async function* rest(start: Uint8Array, chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (start.length > 0) yield start
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
}

async function* gunzip(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const failed: { thrown?: unknown } = {}
  const source = Readable.from(remembering(packed, failed), { objectMode: false })
  const unzip = createGunzip({ chunkSize: 256 * 1024 })
  source.on('error', (thrown) => unzip.destroy(thrown))
  try {
    yield* source.pipe(unzip)
  } catch (thrown) {
    // What fails below says why itself; what zlib says is about the bytes.
    if (failed.thrown !== undefined || isAbort(thrown)) throw failed.thrown ?? thrown
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new Failure(`reading the archive: its gzip is damaged (${why})`, { code: 'damaged', cause: thrown })
  } finally {
    source.destroy()
    unzip.destroy()
  }
}

async function* remembering(
  chunks: AsyncIterable<Uint8Array>,
  failed: { thrown?: unknown },
): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (thrown) {
    failed.thrown = thrown
    throw thrown
  }
}
