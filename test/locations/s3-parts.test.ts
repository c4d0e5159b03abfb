import { expect, it } from 'vitest'
import { MIB } from '../../agent/core/units.ts'
import { cutIntoParts, PartMemory, partBytes } from '../../agent/locations/s3/parts.ts'

const TIB = 1024 ** 4
const GIB = 1024 ** 3
const MOST_PARTS = 10_000

it('cuts the largest object of S3 into no more parts than it takes, each of a size that it takes', () => {
  let reached = 0
  let parts = 0
  for (; reached < 5 * TIB; parts += 1) {
    const size = partBytes(parts + 1)
    expect(size).toBeGreaterThanOrEqual(5 * MIB)
    expect(size).toBeLessThanOrEqual(5 * GIB)
    reached += size
  }
  expect(parts).toBeLessThanOrEqual(MOST_PARTS)
})

it('cuts what most backups are into parts of 6 MiB, whatever the sizes of its chunks', async () => {
  const memory = new PartMemory()
  async function* body() {
    for (const size of [3 * MIB, 1, 20 * MIB, 5 * MIB - 1]) yield Buffer.alloc(size)
  }
  const sizes: number[] = []
  for await (const part of cutIntoParts(body(), memory)) {
    sizes.push(part.bytes.length)
    memory.giveBack(part)
  }
  expect(sizes).toEqual([6 * MIB, 6 * MIB, 6 * MIB, 6 * MIB, 4 * MIB])
})
