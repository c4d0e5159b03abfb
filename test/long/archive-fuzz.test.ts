import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../agent/core/errors.ts'
import { Crc64 } from '../../agent/sources/mongodb/archive/crc64.ts'
import { encodeHeader, MAGIC } from '../../agent/sources/mongodb/archive/format.ts'
import { parseArchive } from '../../agent/sources/mongodb/archive/parser.ts'
import { ArchiveWriter } from '../../agent/sources/mongodb/archive/writer.ts'
import { generatedDocuments } from '../support/mongodb/corpus.ts'
import { type Random, seededRandom } from '../support/mongodb/random.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'

const HEADER = { concurrentCollections: 2, serverVersion: '7.0.14', toolVersion: '0.0.0-test' }
const MUTATIONS = 10_000

describe('a damaged archive', () => {
  it('is refused with its reason, or gives exactly the documents of the whole one: 10,000 mutations', async () => {
    const whole = await sample()
    const expected = await contents(sliced(whole, 1000))
    const packed = gzipSync(whole)
    const random = seededRandom('archives')
    const outcomes = { refused: 0, same: 0 }
    for (let round = 0; round < MUTATIONS; round += 1) {
      const original = random.chance(0.1) ? packed : whole
      const damaged = mutate(original, random)
      const found = await contents(sliced(damaged, random.between(1, damaged.length + 1))).catch(
        (thrown: unknown) => thrown,
      )
      if (found instanceof Map) {
        outcomes.same += 1
        expect([...found], `round ${round}`).toEqual([...expected])
      } else {
        outcomes.refused += 1
        expect(found, `round ${round}`).toBeInstanceOf(Failure)
        expect(['damaged', 'unsupported'], `round ${round}: ${String(found)}`).toContain(
          found instanceof Failure && found.code,
        )
      }
    }
    // What is accepted was changed where nothing counts: in the texts of the prelude, and fields without a meaning.
    expect(outcomes.refused).toBeGreaterThan(MUTATIONS / 2)
    expect(outcomes.refused + outcomes.same).toBe(MUTATIONS)
  }, 120_000)

  it('ends a prelude that never ends', async () => {
    const entry = await collect(preludeOf('x'.repeat(1_000_000)))
    let given = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.concat([MAGIC, encodeHeader(HEADER)])
      for (;;) {
        given += entry.length
        yield entry
      }
    }
    expect(await errorOf(contents(endless()))).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('prelude'),
    })
    expect(given).toBeLessThan(100_000_000)
  })

  it('is refused when its prelude names a collection twice, or documents belong to a view', async () => {
    const twice = new ArchiveWriter()
    twice.prelude(HEADER, [metadata('a'), metadata('a')])
    twice.finish()
    expect(await errorOf(contents(twice.chunks()))).toMatchObject({
      message: expect.stringContaining('names app.a twice'),
    })
    const view = new ArchiveWriter()
    view.prelude(HEADER, [{ ...metadata('v'), type: 'view' }])
    segment(view, 'app', 'v', generatedDocuments(1))
    view.finish()
    expect(await errorOf(contents(view.chunks()))).toMatchObject({
      message: expect.stringContaining('which is a view'),
    })
  })

  it('is refused when its gzip is broken, and passes on why its bytes did not come', async () => {
    const packed = gzipSync(await sample())
    expect(await errorOf(contents(streamOf(packed.subarray(0, packed.length - 20))))).toMatchObject({ code: 'damaged' })
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield packed.subarray(0, 100)
      throw new Failure('the location went away', { code: 'unreachable' })
    }
    expect(await errorOf(contents(broken()))).toMatchObject({ code: 'unreachable' })
  })
})

/** Three collections whose segments interleave, one of them empty. */
async function sample(): Promise<Buffer> {
  const writer = new ArchiveWriter()
  writer.prelude(HEADER, [metadata('a'), metadata('b'), metadata('empty')])
  const documents = generatedDocuments(24)
  const [a, b] = [new Crc64(), new Crc64()]
  for (let at = 0; at < documents.length; at += 4) {
    segment(writer, 'app', 'a', documents.slice(at, at + 2), a)
    segment(writer, 'app', 'b', documents.slice(at + 2, at + 4), b)
  }
  for (const [name, crc] of [
    ['b', b],
    ['a', a],
    ['empty', new Crc64()],
  ] as const)
    writer.end('app', name, crc.digest())
  writer.finish()
  return collect(writer.chunks())
}

async function* preludeOf(text: string): AsyncGenerator<Uint8Array> {
  const writer = new ArchiveWriter()
  writer.prelude(HEADER, [{ ...metadata('a'), metadata: text }])
  writer.finish()
  const whole = await collect(writer.chunks())
  yield whole.subarray(MAGIC.length + encodeHeader(HEADER).length, whole.length - 4)
}

function metadata(collection: string) {
  return { database: 'app', collection, type: 'collection' as const, metadata: '{"options":{},"indexes":[]}' }
}

/** The documents of each collection that ended, as one text each. */
async function contents(body: AsyncIterable<Uint8Array>): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const ended = new Map<string, string>()
  for await (const event of parseArchive(body)) {
    if (event.type === 'prelude') continue
    const name = event.metadata.collection
    const before = found.get(name) ?? ''
    if (event.type === 'documents') found.set(name, before + Buffer.from(event.bytes).toString('latin1'))
    else ended.set(name, before)
  }
  return new Map([...ended].sort())
}

function mutate(original: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(original)
  const at = random.between(0, bytes.length - 1)
  const length = random.between(1, 64)
  const slice = bytes.subarray(at, at + length)
  switch (random.between(0, 7)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7))
      return bytes
    case 1:
      bytes[at] = random.between(0, 255)
      return bytes
    case 2:
      return bytes.subarray(0, at)
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    case 4:
      return Buffer.concat([bytes.subarray(0, at), slice, bytes.subarray(at)])
    case 5:
      return Buffer.concat([bytes, slice])
    case 6:
      // Lengths that lie: huge, negative, zero.
      if (at + 4 <= bytes.length)
        bytes.writeInt32LE([0x7fffffff, -1, -2, 0, 4, 16 * 1024 * 1024][random.between(0, 5)] ?? 0, at)
      return bytes
    default: {
      const other = random.between(0, bytes.length - 1)
      bytes.copy(bytes, other, at, at + length)
      return bytes
    }
  }
}

function segment(writer: ArchiveWriter, database: string, collection: string, documents: Uint8Array[], crc?: Crc64) {
  const run = Buffer.concat(documents)
  crc?.update(run)
  writer.segment(database, collection, run)
}
