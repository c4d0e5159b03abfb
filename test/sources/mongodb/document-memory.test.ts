import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { BSON } from 'mongodb'
import { describe, expect, it } from 'vitest'
import wabt from 'wabt'
import { Crc64 } from '../../../agent/sources/mongodb/archive/crc64.ts'
import { DocumentDigest } from '../../../agent/sources/mongodb/archive/document-digest.ts'
import { DocumentMemory, gather } from '../../../agent/sources/mongodb/archive/document-memory.ts'
import * as code from '../../../agent/sources/mongodb/archive/wasm-code.ts'

describe('a memory for documents', () => {
  it('moves the documents of an array together, whatever their sizes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 150 }), (sizes) => {
        const documents = sizes.map((size, seed) => sized(size, seed))
        const memory = new DocumentMemory(200_000)
        expect(gather(placed(memory, arrayOf(documents)))).toEqual({
          run: Buffer.concat(documents),
          count: documents.length,
        })
      }),
      { numRuns: 50 },
    )
  })

  it('refuses an array with something else than whole documents in it', () => {
    const whole = arrayOf([sized(20, 1), sized(300, 2)])
    const cases: Record<string, (array: Buffer) => void> = {
      'another type': (array) => void array.writeUInt8(0x10, 4),
      'a length below the smallest': (array) => void array.writeInt32LE(4, 7),
      'a length beyond the end': (array) => void array.writeInt32LE(array.length, 7),
      'a length below zero': (array) => void array.writeInt32LE(-5, 7),
      'no end of a document': (array) => void array.writeUInt8(1, 7 + array.readInt32LE(7) - 1),
      'a key without end': (array) => void array.fill(0x31, 5, array.length - 1),
    }
    for (const [name, damage] of Object.entries(cases)) {
      const array = placed(new DocumentMemory(4096), whole)
      damage(array)
      expect(gather(array), name).toBeUndefined()
    }
    expect(gather(placed(new DocumentMemory(4096), whole))?.count).toBe(2)
  })

  it('keeps what is in it when it is made larger', () => {
    const memory = new DocumentMemory(1000)
    const content = Buffer.alloc(memory.room.length, 'content')
    memory.room.set(content)
    memory.reserve(20_000_000)
    expect(memory.room.length).toBeGreaterThanOrEqual(20_000_000)
    expect(memory.room.subarray(0, content.length).equals(content)).toBe(true)
    expect(sums(memory.room.subarray(0, 9))).toEqual(sums(Buffer.from(content.subarray(0, 9))))
  })

  it('sums where the bytes lie as it does elsewhere, up to its very end', () => {
    const memory = new DocumentMemory(70_000)
    for (const size of [5, 13, 64, 1003, 65_536]) {
      const document = sized(size, size)
      const inside = memory.room.subarray(-document.length)
      inside.set(document)
      expect(sums(inside)).toEqual(sums(document))
    }
  })

  it.each([
    ['crc64', code.CRC64_WASM_BASE64],
    ['document-digest', code.DIGEST_WASM_BASE64],
    ['gather', code.GATHER_WASM_BASE64],
  ])('runs the code that stands in %s.wat', async (name, base64) => {
    const path = new URL(`../../../agent/sources/mongodb/archive/${name}.wat`, import.meta.url)
    const features = { bulk_memory: true, multi_value: true }
    const module = (await wabt()).parseWat(name, readFileSync(path, 'utf8'), features)
    expect(Buffer.from(module.toBinary({}).buffer).toString('base64')).toBe(base64)
  })
})

/** A document with a text of `size` characters. */
function sized(size: number, seed: number): Buffer {
  return Buffer.from(BSON.serialize({ text: String.fromCharCode(97 + (seed % 26)).repeat(size) }))
}

function arrayOf(documents: readonly Uint8Array[]): Buffer {
  const elements = documents.map((document, index) => Buffer.concat([Buffer.from(`\x03${index}\0`), document]))
  const length = Buffer.alloc(4)
  length.writeInt32LE(5 + elements.reduce((sum, element) => sum + element.length, 0))
  return Buffer.concat([length, ...elements, Buffer.of(0)])
}

function placed(memory: DocumentMemory, array: Buffer): Buffer {
  array.copy(memory.room, 11)
  return memory.room.subarray(11, 11 + array.length)
}

function sums(document: Uint8Array): readonly [bigint, string] {
  const [crc, digest] = [new Crc64(), new DocumentDigest()]
  crc.update(document)
  digest.update(document)
  return [crc.digest(), digest.digest()]
}
