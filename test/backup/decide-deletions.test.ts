import { beforeEach, describe, expect, it } from 'vitest'
import { recordRestore } from '../../agent/backup/unfinished-restore.ts'
import { Failure } from '../../agent/core/errors.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { errorOf } from '../support/streams.ts'
import { never, PruneWorld, unfinishedRestore } from './prune-world.ts'

let world: PruneWorld
let nas: MemoryLocation

beforeEach(() => {
  world = new PruneWorld()
  nas = world.nas
})

describe('a good backup goes only in favour of others that are whole', () => {
  const notWhole: readonly (readonly [string, (id: string) => void, RegExp])[] = [
    ['its manifest is empty', (id) => nas.objects.set(manifestOf(id), Buffer.alloc(0)), /not JSON/],
    [
      'its manifest is cut short',
      (id) => nas.objects.set(manifestOf(id), bytesOf(manifestOf(id)).subarray(0, 300)),
      /not JSON/,
    ],
    [
      'its manifest is of another backup',
      (id) => nas.objects.set(manifestOf(id), bytesOf(manifestOf(theOld))),
      /belongs to backup/,
    ],
    [
      'its manifest is of a newer version',
      (id) => nas.objects.set(manifestOf(id), Buffer.from('{"format_version": 2}')),
      /format version 2/,
    ],
    ['an artifact is missing', (id) => void nas.objects.delete(artifactOf(id)), /is missing/],
    ['an artifact is cut short', (id) => nas.objects.set(artifactOf(id), Buffer.alloc(1)), /has 1 bytes/],
  ]
  const bytesOf = (key: string) => nas.objects.get(key) ?? Buffer.alloc(0)
  let theOld = ''
  const manifestOf = (id: string) => `prod/nightly/${id}.manifest.json`
  const artifactOf = (id: string) => `prod/nightly/${id}/mongodb.archive.zst`

  it.each(notWhole)('and the newest is not: %s', async (_, spoil, why) => {
    const [young = '', old = '', older = ''] = await world.store(1, 20, 30)
    theOld = older
    spoil(young)
    const outcome = await world.prune()
    expect(outcome).toMatchObject({ deleted: [older], problems: [expect.stringMatching(why)] })
    expect(outcome.decisions[0]).toMatchObject({ keep: true, reason: 'not whole when it was looked at' })
    expect(outcome.problems[0]).toContain(`backup ${young} in nas does not count as a good one`)
    expect(world.events.at(-1)).toMatchObject({ type: 'retention.applied', failures: 0 })
    expect(await world.left()).toEqual([young, old])
  })

  it('nor are those that keep_minimum and keep count, however many', async () => {
    const ids = await world.store(20, 21, 22, 23, 24, 25, 50, 80)
    for (const id of ids.slice(0, 4)) nas.objects.delete(artifactOf(id))
    const rule = { retentionDays: 1, keepMinimum: 2, keep: { monthly: 3 } }
    const outcome = await world.prune({ rule, force: true })
    expect(outcome.problems).toHaveLength(4)
    // Of the whole ones: the newest of October and of September, and the second newest. Nothing better is newer than the rest.
    expect(outcome.deleted).toEqual([ids[6]])
    expect(await world.left()).toEqual(ids.filter((id) => id !== ids[6]))
  })

  it('nor is the newest verified one; and what is not whole stays until it is verified', async () => {
    const [young, old = '', older = '', oldest] = await world.store(1, 20, 30, 40)
    for (const id of [old, older]) nas.objects.set(`prod/nightly/${id}.verified.json`, Buffer.from('{}'))
    nas.objects.delete(artifactOf(old))
    expect((await world.prune()).deleted).toEqual([oldest])
    expect(await world.left()).toEqual([young, old, older])
  })

  it('and what happens meanwhile counts: a pin, a restore that begins, a deletion by another', async () => {
    const [young = '', pinned = '', wanted = '', old = '', gone = ''] = await world.store(1, 20, 30, 40, 50)
    const elsewhere = new MemoryLocation('elsewhere')
    await recordRestore(elsewhere, 'prod', unfinishedRestore('other:27017', wanted), { signal: never() })
    let looked = false
    nas.fault = (operation, key) => {
      if (operation !== 'get' || !key.includes(young) || looked) return
      looked = true
      nas.objects.set(`prod/nightly/${pinned}.pin`, Buffer.from('{}'))
      for (const [record, bytes] of elsewhere.objects) nas.objects.set(record, bytes)
      for (const one of world.keysOf(gone)) nas.objects.delete(one)
    }
    expect(await world.prune({ force: true })).toMatchObject({ deleted: [old], problems: [] })
    expect(await world.left()).toEqual([young, pinned, wanted])
  })

  it('and one that was deleted since it was listed is no problem', async () => {
    const [young = '', old = '', older = ''] = await world.store(1, 20, 30)
    nas.fault = (operation, key) => {
      if (operation === 'get' && key.includes(young)) for (const gone of world.keysOf(young)) nas.objects.delete(gone)
    }
    expect(await world.prune()).toMatchObject({ deleted: [older], problems: [] })
    expect(await world.left()).toEqual([old])
  })

  it('and one bad answer is not enough to call it lost', async () => {
    const [young, old] = await world.store(1, 20)
    const list = nas.list.bind(nas)
    nas.list = async (prefix, options) => (prefix.includes(young ?? '-') ? [] : list(prefix, options))
    expect(await world.prune()).toMatchObject({ deleted: [old], problems: [] })
  })

  it('looks at nothing where nothing is to go', async () => {
    await world.store(1, 2, 3)
    nas.fault = (operation) => expect(operation).toBe('list')
    expect(await world.prune()).toMatchObject({ deleted: [], problems: [] })
  })

  it('deletes nothing where it cannot look', async () => {
    const [young = ''] = await world.store(1, 20)
    nas.fault = (operation, key) => {
      if (operation === 'get' && key.includes(young)) throw new Failure('reading: no', { code: 'unreachable' })
    }
    expect(await errorOf(world.prune())).toMatchObject({ message: 'reading: no' })
    expect(await world.left()).toHaveLength(2)
  })
})
