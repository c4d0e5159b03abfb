import { describe, expect, it } from 'vitest'
import { Crc64 } from '../../../agent/sources/mongodb/archive/crc64.ts'
import { ArchiveWriter } from '../../../agent/sources/mongodb/archive/writer.ts'
import { inspectArchive } from '../../../agent/sources/mongodb/inspect.ts'
import { encode } from '../../support/mongodb/encode.ts'
import { collect, errorOf, streamOf } from '../../support/streams.ts'
import { never } from './backing-up.ts'

const inspect = (bytes: Uint8Array) => inspectArchive(streamOf(bytes), { signal: never() })

describe('what is said of a damaged archive', () => {
  it('is where, what was whole before, and which collections are affected', async () => {
    const { bytes, startOf } = await archive()
    expect(await inspect(bytes)).toMatchObject({ collections: [{}, {}, { collection: 'c' }, {}, {}] })
    const flipped = Buffer.from(bytes)
    const at = startOf('b') + 20
    flipped[at] = (flipped[at] ?? 0) ^ 1
    const error = await errorOf(inspect(flipped))
    expect(error).toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(/at byte \d+: the documents of app.b/),
    })
    expect(String(error)).toContain('; whole before that: 1 of 5 collections; affected: app.b, app.c, app.t')
    const cut = await errorOf(inspect(bytes.subarray(0, startOf('t') + 9)))
    expect(String(cut)).toContain('whole before that: 3 of 5 collections; affected: app.t')
  })

  it('names a few of many, and says when not even their list could be read', async () => {
    const { bytes, startOf } = await archive(30)
    const cut = await errorOf(inspect(bytes.subarray(0, startOf('b') + 4)))
    expect(String(cut)).toMatch(/affected: app.b, app.c, app.t, app.more0, app.more1 and 28 more$/)
    const beheaded = await errorOf(inspect(bytes.subarray(0, 200)))
    expect(String(beheaded)).toContain('; affected: all collections, because it is before their list')
  })
})

/** Collections `a`, `b`, `c`, a time series `t` and a view, one after the other. */
async function archive(more = 0) {
  const writer = new ArchiveWriter()
  const names = ['a', 'b', 'c', 't', ...Array.from({ length: more }, (_, index) => `more${index}`)]
  const announced = names.map((collection) => ({
    ...{ database: 'app', collection, metadata: '{}' },
    type: collection === 't' ? ('timeseries' as const) : ('collection' as const),
  }))
  const view = { database: 'app', collection: 'v', metadata: '{}', type: 'view' as const }
  writer.prelude({ concurrentCollections: 1, serverVersion: '7.0.1', toolVersion: '0' }, [...announced, view])
  for (const name of names) {
    const crc = new Crc64()
    const stored = name === 't' ? 'system.buckets.t' : name
    const document = encode({ _id: `of ${name}`, text: 'x'.repeat(50) })
    crc.update(document)
    writer.segment('app', stored, document)
    writer.end('app', stored, crc.digest())
  }
  writer.end('app', 'v', new Crc64().digest())
  writer.finish()
  const bytes = await collect(writer.chunks())
  return { bytes, startOf: (name: string) => bytes.indexOf(`of ${name}`) }
}
