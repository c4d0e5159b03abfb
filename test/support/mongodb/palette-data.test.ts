import { gzipSync } from 'node:zlib'
import { BSON } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { type PaletteDataOptions, paletteCollections } from './palette-data.ts'
import { elements } from './raw-bson.ts'

function allDocuments(options: PaletteDataOptions): readonly Buffer[] {
  return paletteCollections(options).flatMap(({ documents }) => [...documents()])
}

describe('palette data', () => {
  it('is the same for the same seed and another for another', () => {
    const once = Buffer.concat(allDocuments({ bytes: 200_000 }))

    expect(Buffer.concat(allDocuments({ bytes: 200_000 })).equals(once)).toBe(true)
    expect(Buffer.concat(allDocuments({ bytes: 200_000, seed: 'other' })).equals(once)).toBe(false)
  })

  it.each([
    { bytes: 1_000_000 },
    { bytes: 8_000_000, documents: 2000 },
    { bytes: 12_000_000, largestDocument: 8 * 1024 * 1024 },
  ])('shrinks by gzip to between a fourth and an eighth and has the size asked for: %o', (options) => {
    const documents = allDocuments(options)
    const bytes = Buffer.concat(documents)
    const ratio = bytes.length / gzipSync(bytes).length

    expect(ratio).toBeGreaterThan(4)
    expect(ratio).toBeLessThan(8)
    expect(bytes.length / options.bytes).toBeGreaterThan(0.97)
    expect(bytes.length / options.bytes).toBeLessThan(1.05)
    expect(Math.min(...documents.map(({ length }) => length))).toBeLessThan(80)
  })

  it('honours the number of documents and the largest', () => {
    const documents = allDocuments({ bytes: 12_000_000, documents: 3000, largestDocument: 8 * 1024 * 1024 })

    expect(documents.length).toBeGreaterThan(2700)
    expect(documents.length).toBeLessThan(3300)
    expect(Math.max(...documents.map(({ length }) => length))).toBeGreaterThan(8_000_000)
    expect(Math.max(...documents.map(({ length }) => length))).toBeLessThan(16 * 1024 * 1024)
  })

  it('lies in all three databases and begins with the systemconfig document', () => {
    const collections = paletteCollections({ bytes: 300_000, collections: 3 })
    const [first] = collections[0]?.documents() ?? []

    expect(collections.map(({ db }) => db)).toEqual(['hubbledb', 'hubble_timeseriesdb', 'hubble_archivedb'])
    expect(BSON.deserialize(first ?? Buffer.alloc(0))).toMatchObject({
      kind: 'systemconfig',
      spec: { installerMode: 'self-hosted' },
    })
  })

  it('gives every collection a name of its own and every document an _id of its own', () => {
    const collections = paletteCollections({ bytes: 500_000, collections: 60 })
    const names = collections.map(({ db, collection }) => `${db}.${collection}`)

    expect(new Set(names).size).toBe(60)
    for (const { documents } of collections) {
      const ids = Array.from(documents(), (document) => BSON.deserialize(document)['_id'].toHexString())
      expect(new Set(ids).size).toBe(ids.length)
    }
  })

  it('keeps to what FerretDB 1.24 takes unless told otherwise', () => {
    const refused = new Set<number>([0x06, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x13, 0xff, 0x7f])
    const seen = new Set<number>()
    for (const document of allDocuments({ bytes: 500_000 })) collectTypes(document, false, seen)

    expect([...seen].filter((type) => refused.has(type))).toEqual([])
    expect(seen.size).toBeGreaterThanOrEqual(10)
    for (const { indexes } of paletteCollections()) {
      for (const index of indexes) {
        expect(Object.keys(index).filter((key) => !['key', 'name', 'unique', 'sparse'].includes(key))).toEqual([])
      }
    }
  })

  it('has every type of BSON when told to', () => {
    const seen = new Set<number>()
    for (const document of allDocuments({ bytes: 100_000, allTypes: true })) collectTypes(document, true, seen)

    const all = [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 0x7f, 0xff]
    expect(all.filter((type) => !seen.has(type))).toEqual([])
  })
})

function collectTypes(document: Buffer, oddities: boolean, seen: Set<number>, inArray = false): void {
  for (const { type, name, value } of elements(document)) {
    seen.add(type)
    if (!oddities) {
      expect(name).not.toMatch(/[.$]/)
      expect(inArray && type === 4).toBe(false)
      if (type === 1) expect(value.readDoubleLE(0)).not.toBeNaN()
    }
    if (type === 3 || type === 4) collectTypes(value, oddities, seen, type === 4)
  }
}
