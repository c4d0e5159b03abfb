import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Leftover } from '../../../agent/locations/location.ts'
import { errorOf, streamOf } from '../../support/streams.ts'
import type { Subject } from './subject.ts'

/** For the two parts that are on their way, over loopback. */
const SENT_MS = 1000

/** What an unfinished put holds is named before it is there, so that another process can remove it. */
export function leftoverCases(subject: Subject): void {
  const { live, failureOf, nothingLeft } = subject

  it('names what an unfinished put holds, and another one can remove it', async () => {
    const leftovers: Leftover[] = []
    const controller = new AbortController()
    const stuck = Promise.withResolvers<void>()
    async function* body() {
      for (let at = 0; at < 19; at += 1) yield randomBytes(1_000_000)
      stuck.resolve()
      await new Promise(() => undefined)
    }
    const putting = subject.location.put('dead/put', body(), {
      signal: controller.signal,
      onLeftover: async (leftover) => void leftovers.push(leftover),
    })
    putting.catch(() => undefined)
    await stuck.promise
    // What a dead process had sent has arrived: of a part that is still on its way while its upload is aborted, versitygw
    // makes a folder anew that no request removes any more.
    await sleep(SENT_MS)
    expect(leftovers).toHaveLength(1)
    expect(await subject.location.stat('dead/put', live())).toBeUndefined()
    const temporaries = await subject.location.list('dead/', { ...live(), temporaries: true })
    for (const { key } of temporaries) expect(leftovers.map(({ handle }) => handle)).toContain(key)
    for (const leftover of leftovers) await subject.location.discard(leftover, live())
    expect(await subject.location.list('dead/', { ...live(), temporaries: true })).toEqual([])
    for (const leftover of leftovers) await subject.location.discard(leftover, live())
    controller.abort()
    await errorOf(putting)
    await nothingLeft('dead/put')
  })

  it('does not begin when what it would leave behind cannot be put on record', async () => {
    const onLeftover = async () => {
      throw new Error('no record')
    }
    const body = streamOf(randomBytes(9_000_000))
    expect(await failureOf(subject.location.put('unrecorded', body, { ...live(), onLeftover }))).toMatchObject({
      message: expect.stringContaining('no record'),
    })
    await nothingLeft('unrecorded')
  })
}
