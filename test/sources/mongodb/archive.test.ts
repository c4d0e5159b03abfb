import { BSON } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { Crc64, formatCrc64 } from '../../../agent/sources/mongodb/archive/crc64.ts'
import type { ArchiveEvent } from '../../../agent/sources/mongodb/archive/parser.ts'
import { parseArchive } from '../../../agent/sources/mongodb/archive/parser.ts'
import { ArchiveWriter } from '../../../agent/sources/mongodb/archive/writer.ts'
import { collect, errorOf, sliced, streamOf } from '../../support/streams.ts'

const HEADER = { concurrentCollections: 2, serverVersion: '7.0.1', toolVersion: '0.1.0' }
const metadata = (collection: string) => ({ database: 'db', collection, metadata: '{}', type: 'collection' as const })

describe('an archive', () => {
  it('comes back as it was written, cut anywhere', async () => {
    const { bytes, a, b } = await sample()
    for (const size of [1, 3, 64, 1000, bytes.length]) {
      const events = await eventsOf(sliced(bytes, size))
      expect(events[0]).toMatchObject({ type: 'prelude', header: HEADER, metadata: [metadata('a'), metadata('b')] })
      expect(documentsOf(events, 'a')).toEqual(a)
      expect(documentsOf(events, 'b')).toEqual(b)
      expect(events.filter((event) => event.type === 'end')).toHaveLength(2)
    }
  })

  it('holds documents larger than a chunk', async () => {
    const large = BSON.serialize({ bytes: Buffer.alloc(9_000_000, 5) })
    const writer = new ArchiveWriter()
    const crc = new Crc64()
    writer.prelude(HEADER, [metadata('a')])
    const written = collect(writer.chunks())
    segment(writer, 'db', 'a', [large, large], crc)
    writer.end('db', 'a', crc.digest())
    writer.finish()
    const events = await eventsOf(sliced(await written, 100_000))
    expect(events.at(-1)).toMatchObject({
      counted: { documents: 2, bytes: large.length * 2, crc64: formatCrc64(crc.digest()) },
    })
  })

  it('is refused when it ends early, anywhere', async () => {
    const { bytes } = await sample()
    for (let length = 0; length < bytes.length; length += 1) {
      const error = await errorOf(eventsOf(streamOf(bytes.subarray(0, length))))
      expect(error, `cut at ${length}`).toMatchObject({ code: 'damaged' })
    }
  })

  it('never gives other documents when a byte is changed behind the prelude: it is refused', async () => {
    const { bytes, preludeBytes, a, b } = await sample()
    let refused = 0
    for (let at = preludeBytes; at < bytes.length; at += 1) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 0x01
      const outcome = await eventsOf(streamOf(damaged)).catch((thrown: unknown) => thrown)
      if (Array.isArray(outcome)) {
        // The header of a segment has a checksum field that means nothing.
        expect([documentsOf(outcome, 'a'), documentsOf(outcome, 'b')], `byte ${at}`).toEqual([a, b])
      } else {
        refused += 1
        expect(outcome, `byte ${at}`).toMatchObject({ name: 'Failure' })
      }
    }
    expect(bytes.length - preludeBytes - refused).toBeLessThanOrEqual(3 * 8)
  })

  it('is refused when it holds a collection its prelude does not name', async () => {
    const writer = new ArchiveWriter()
    writer.prelude(HEADER, [metadata('a')])
    segment(writer, 'db', 'other', [BSON.serialize({})])
    writer.finish()
    expect(await errorOf(eventsOf(writer.chunks()))).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('db.other, which its prelude does not name'),
    })
  })
})

async function sample() {
  const a = [BSON.serialize({ _id: 1, text: 'x'.repeat(100) }), BSON.serialize({ _id: 2 }), BSON.serialize({ _id: 3 })]
  const b = [BSON.serialize({ _id: 'only' })]
  const writer = new ArchiveWriter()
  const crcA = new Crc64()
  const crcB = new Crc64()
  writer.prelude(HEADER, [metadata('a'), metadata('b')])
  const preludeOnly = new ArchiveWriter()
  preludeOnly.prelude(HEADER, [metadata('a'), metadata('b')])
  preludeOnly.finish()
  segment(writer, 'db', 'a', a.slice(0, 2), crcA)
  segment(writer, 'db', 'b', b, crcB)
  segment(writer, 'db', 'a', a.slice(2), crcA)
  writer.end('db', 'b', crcB.digest())
  writer.end('db', 'a', crcA.digest())
  writer.finish()
  const preludeBytes = (await collect(preludeOnly.chunks())).length
  const plain = (documents: Uint8Array[]) => documents.map((document) => Buffer.from(document).toString('hex'))
  return { bytes: await collect(writer.chunks()), preludeBytes, a: plain(a), b: plain(b) }
}

async function eventsOf(stream: AsyncIterable<Uint8Array>): Promise<ArchiveEvent[]> {
  const events: ArchiveEvent[] = []
  for await (const event of parseArchive(stream)) {
    // Runs are views that the next read may overwrite.
    events.push(event.type === 'documents' ? { ...event, bytes: Buffer.from(event.bytes) } : event)
  }
  return events
}

function documentsOf(events: readonly ArchiveEvent[], collection: string): string[] {
  const runs = events.flatMap((event) =>
    event.type === 'documents' && event.metadata.collection === collection ? [Buffer.from(event.bytes)] : [],
  )
  const bytes = Buffer.concat(runs)
  const documents: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readInt32LE(at)
    documents.push(bytes.subarray(at, at + length).toString('hex'))
    at += length
  }
  return documents
}

function segment(writer: ArchiveWriter, database: string, collection: string, documents: Uint8Array[], crc?: Crc64) {
  const run = Buffer.concat(documents)
  crc?.update(run)
  writer.segment(database, collection, run)
}
