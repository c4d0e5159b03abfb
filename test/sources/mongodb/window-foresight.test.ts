import { appendFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { WindowForesight } from '../../../agent/sources/mongodb/window-foresight.ts'
import { RestoreWorld } from '../../commands/restore-world.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { encode } from '../../support/mongodb/encode.ts'
import { type MongodbDouble, type MongodbOptions, startMongodb } from '../../support/mongodb/server.ts'
import { errorOf } from '../../support/streams.ts'
import { backUp } from './backing-up.ts'

const MB = 1_000_000

describe('the foresight', () => {
  it('waits until the rate is known, and then gives up only what would end well behind the window', async () => {
    const clock = new FakeClock()
    const foresight = new WindowForesight({ historySeconds: 300, totalBytes: 1000 * MB }, clock)
    await clock.advance(14_000)
    foresight.check(1)
    await clock.advance(16_000)
    // 30 s for 80 MB: 375 s for all, which is as much as is tolerated.
    foresight.check(80 * MB)
    const slower = () => foresight.check(79 * MB)
    expect(slower).toThrow('reading 954 MiB at 2.5 MiB a second takes about 6m 20s')
    expect(slower).toThrow('MongoDB keeps what a snapshot needs for 5m')
    try {
      slower()
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: 'snapshot_lost', retryable: true, hint: expect.stringContaining('extend_') })
    }
  })

  it('never gives up a reading that has ended, or whose size nobody knows', async () => {
    const clock = new FakeClock()
    const foresights = [0, MB].map((totalBytes) => new WindowForesight({ historySeconds: 300, totalBytes }, clock))
    await clock.advance(10_000_000)
    for (const foresight of foresights) foresight.check(2 * MB)
    expect(() => foresights[1]?.check(0)).toThrow('has no end in sight')
  })

  it('knows beforehand what a limit of the rate makes of it', () => {
    const of = (limitBytesPerSecond: number) => () =>
      new WindowForesight({ historySeconds: 300, totalBytes: 1000 * MB, limitBytesPerSecond }, new FakeClock()).check(0)
    of(3 * MB)()
    expect(of(2 * MB)).toThrow('takes about 8m 20s')
  })
})

describe('a reading that the window will not suffice for', () => {
  it('is given up as soon as that is seen, and leaves nothing behind', async () => {
    await using source = await double()
    const clock = new FakeClock()
    const reading = backUp(source.uri, { clock, onFirstChunk: () => clock.advance(250_000) })
    expect(await errorOf(reading)).toMatchObject({ code: 'snapshot_lost', message: expect.stringContaining('5m') })
    expect([source.openCursors(), source.openSessions()]).toEqual([0, 0])
  })

  it('is not begun when the limit of the rate says so', async () => {
    await using source = await double()
    source.store.historySeconds = 10
    expect(await errorOf(backUp(source.uri, { maxBytesPerSecond: MB }))).toMatchObject({ code: 'snapshot_lost' })
    const read = source.requests.filter(({ name, fields }) => name === 'find' && fields['limit'] !== 1)
    expect(read).toEqual([])
  })

  it('is made in the window that was asked for', async () => {
    await using source = await double()
    const clock = new FakeClock()
    const onFirstChunk = () => clock.advance(250_000)
    const { facts } = await backUp(source.uri, { clock, onFirstChunk, extendSnapshotWindow: 3600 })
    expect(facts.consistency.level).toBe('snapshot')
  })

  it.each([
    ['the member does not tell its window', {}],
    ['there is no snapshot to lose', { standalone: true }],
  ] as const)('goes on where %s', async (_, options) => {
    await using source = await double(options)
    source.faults.fail('getParameter', { code: 13, message: 'not authorized', times: 99 })
    const clock = new FakeClock()
    const { facts } = await backUp(source.uri, { clock, onFirstChunk: () => clock.advance(100_000_000) })
    expect(facts.consistency.level).toBe('standalone' in options ? 'none' : 'snapshot')
  })

  it('is made without a snapshot then, which the manifest, the run and `show` say with the reason', async () => {
    await using world = await RestoreWorld.start({ bytes: 2 * MB })
    const { store } = world.source
    store.historySeconds = 1
    // A set that is written to: an idle one would give an instant that is too old at once.
    const writing = setInterval(() => store.clock.tick(), 50)
    await appendFile(world.configFile, `      max_bytes_per_second: ${MB}\n`)
    const made = await world.run(['backup', '--json'])
    clearInterval(writing)
    expect(made.code, made.stderr).toBe(0)
    const why = /the server keeps too short a history: reading .* takes about .*keeps what a snapshot needs for 1\.0s/
    expect(made.stdout).toMatch(/reading again without a snapshot\. To get one instant, set extend_snapshot_window/)
    // By its name: the world began with another one, which may be of the same second.
    const { backupId } = JSON.parse(made.stdout)
    const shown = JSON.parse((await world.run(['show', backupId, '--json'])).stdout)
    const { consistency } = shown.manifest.artifacts[0].mongodb
    expect(consistency).toMatchObject({ level: 'none', reason: expect.stringMatching(why) })
    expect((await world.run(['show', backupId])).stdout).toMatch(why)
  }, 60_000)
})

async function double(options: MongodbOptions = {}): Promise<MongodbDouble> {
  const one = await startMongodb(options)
  const text = 'x'.repeat(4000)
  for (const name of ['first', 'second']) {
    one.store.add('app', name, { documents: Array.from({ length: 2000 }, (_, _id) => encode({ _id, text })) })
  }
  return one
}
