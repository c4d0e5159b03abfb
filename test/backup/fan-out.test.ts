import { describe, expect, it } from 'vitest'
import { fanOut } from '../../agent/backup/fan-out.ts'
import { collect, errorOf } from '../support/streams.ts'

describe('fan-out', () => {
  it('gives every receiver the whole stream', async () => {
    const { branches, pump } = fanOut(numbered(50), 3, 100)
    const [bytes] = await Promise.all([Promise.all(branches.map(({ stream }) => collect(stream))), pump()])
    const expected = await collect(numbered(50))
    expect(bytes).toEqual([expected, expected, expected])
  })

  it('keeps little more than its bound when one receiver is slow', async () => {
    let produced = 0
    const { branches, pump } = fanOut(
      numbered(200, () => (produced += 10)),
      2,
      100,
    )
    let worst = 0
    const slow = async () => {
      let taken = 0
      for await (const chunk of branches[0]?.stream ?? []) {
        taken += chunk.length
        await new Promise((resolve) => setImmediate(resolve))
        worst = Math.max(worst, produced - taken)
      }
    }
    await Promise.all([slow(), collect(branches[1]?.stream ?? numbered(0)), pump()])
    expect(produced).toBe(2000)
    expect(worst).toBeLessThanOrEqual(120)
  })

  it('goes on when a receiver leaves in the middle, and when one never begins', async () => {
    const { branches, pump } = fanOut(numbered(100), 3, 50)
    const leaving = async () => {
      for await (const _ of branches[0]?.stream ?? []) break
      branches[0]?.leave()
    }
    branches[1]?.leave()
    const [whole] = await Promise.all([collect(branches[2]?.stream ?? numbered(0)), leaving(), pump()])
    expect(whole).toEqual(await collect(numbered(100)))
  })

  it('stops reading the source when all have left', async () => {
    let produced = 0
    const { branches, pump } = fanOut(
      numbered(100_000, () => (produced += 1)),
      2,
      50,
    )
    for (const branch of branches) branch.leave()
    await pump()
    expect(produced).toBe(1)
  })

  it('fails every receiver with the error of the source', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield* numbered(3)
      throw new Error('source broke')
    }
    const { branches, pump } = fanOut(failing(), 2, 1000)
    const errors = Promise.all(branches.map(({ stream }) => errorOf(collect(stream))))
    await pump()
    expect(await errors).toEqual([new Error('source broke'), new Error('source broke')])
  })
})

async function* numbered(count: number, onChunk: () => void = () => undefined): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i += 1) {
    onChunk()
    yield Buffer.alloc(10, i % 251)
  }
}
