import { beforeEach, describe, expect, it } from 'vitest'
import { createBackupId } from '../../agent/backup/backup-id.ts'
import { readCatalog } from '../../agent/backup/catalog.ts'
import { holdBackup } from '../../agent/backup/hold.ts'
import type { InFlightRecord } from '../../agent/backup/in-flight.ts'
import { pinBackup, unpinBackup } from '../../agent/backup/pin.ts'
import { sweep } from '../../agent/backup/sweep.ts'
import { forgetRestore, recordRestore } from '../../agent/backup/unfinished-restore.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import type { Entry } from '../../agent/locations/location.ts'
import type { MemoryLocation } from '../support/memory-location.ts'
import { errorOf } from '../support/streams.ts'
import { OWNER } from './nightly-run.ts'
import { NOW, never, PruneWorld, REF, unfinishedRestore } from './prune-world.ts'

let world: PruneWorld
let nas: MemoryLocation

beforeEach(() => {
  world = new PruneWorld()
  nas = world.nas
})

describe('pruning', () => {
  it('deletes the manifest first, then everything else, oldest backup first, and says what it will do before', async () => {
    const [young = '', old = '', older = ''] = await world.store(1, 20, 30)
    const order: string[] = []
    nas.fault = (operation, key) => {
      if (operation === 'delete') order.push(key.slice('prod/nightly/'.length))
      if (operation === 'delete') expect(world.intents).toEqual([[older, old]])
    }
    expect(await world.prune()).toMatchObject({ deleted: [older, old], problems: [], unfinished: false })
    expect(order[0]).toBe(`${older}.manifest.json`)
    expect(order[1]).toBe(`${older}/mongodb.archive.zst`)
    expect(order.findIndex((key) => key.startsWith(old))).toBeGreaterThan(3)
    expect(await world.left()).toEqual([young])
    expect(nas.keys).toHaveLength(2)
    expect(world.events.map(({ type }) => type)).toEqual(['backup.deleted', 'backup.deleted', 'retention.applied'])
  })

  it('dry, touches nothing', async () => {
    const ids = await world.store(1, 20)
    nas.fault = (operation) => expect(['list', 'get', 'stat']).toContain(operation)
    expect(await world.prune({ dryRun: true })).toMatchObject({
      deleted: [],
      decisions: [{ keep: true }, { keep: false }],
    })
    expect(await world.left()).toEqual(ids)
    expect(world.events).toEqual([])
  })

  it('leaves alone what it cannot read, and counts it', async () => {
    const [, old = '', older = ''] = await world.store(1, 20, 30)
    nas.objects.set(`prod/nightly/${old}.manifest.json`, Buffer.from('{"format_version": 99}'))
    const outcome = await world.prune()
    expect(outcome.deleted).toEqual([older])
    expect(outcome.problems).toHaveLength(1)
    expect(outcome.problems[0]).toContain('format version 99')
    expect(world.keysOf(old)).toHaveLength(2)
    expect(world.events.at(-1)).toMatchObject({ type: 'retention.applied', failures: 1, refused: false })
  })

  it('goes on after a backup that cannot be deleted', async () => {
    const [, old = '', older = ''] = await world.store(1, 20, 30)
    nas.fault = (operation, key) => {
      if (operation === 'delete' && key.includes(older)) throw new Failure('deleting: no', { code: 'permission' })
    }
    expect(await world.prune()).toMatchObject({ deleted: [old], problems: ['deleting: no'] })
  })

  it('does not believe a location that says deleted and lists it still', async () => {
    await world.store(1, 20)
    const remove = nas.delete.bind(nas)
    nas.delete = async (key) => (key.endsWith('.zst') ? undefined : remove(key))
    const outcome = await world.prune()
    expect(outcome.unfinished).toBe(true)
    expect(outcome.problems).toEqual([expect.stringContaining('lists some of it still')])
  })
})

describe('what is deleted never', () => {
  it('is pinned, until it is unpinned', async () => {
    const [, old = ''] = await world.store(1, 20)
    const backup = { policy: 'nightly', backupId: old }
    await pinBackup(nas, 'prod', backup, { pinned_at: NOW.toISOString(), reason: 'audit' }, { signal: never() })
    expect((await readCatalog(nas, REF, { signal: never() }))[1]).toMatchObject({ backupId: old, pinned: true })
    expect(await world.prune()).toMatchObject({
      deleted: [],
      decisions: [{ keep: true }, { keep: true, reason: 'pinned' }],
    })
    await unpinBackup(nas, 'prod', backup, { signal: never() })
    expect(await world.prune()).toMatchObject({ deleted: [old] })
    expect(world.keysOf(old)).toEqual([])
  })

  it('is the newest verified one', async () => {
    const [, old = '', older = ''] = await world.store(1, 20, 30)
    nas.objects.set(`prod/nightly/${older}.verified.json`, Buffer.from('{}'))
    expect((await world.prune()).deleted).toEqual([old])
    expect(world.keysOf(older)).toHaveLength(3)
  })

  it('is being read by a restore, while its process lives', async () => {
    const [, old = ''] = await world.store(1, 20)
    const hold = {
      ...REF,
      backupId: old,
      doing: 'restore' as const,
      runId: 'hold2222',
      owner: OWNER,
      clock: systemClock,
      signal: never(),
      warn: (message: string) => expect(message).toBe(''),
    }
    const dead = (record: InFlightRecord) => record.run_id === 'hold2222'
    await holdBackup(nas, hold, async () => {
      expect((await world.prune()).deleted).toEqual([])
      expect((await world.prune({ dryRun: true, isDead: dead })).decisions).toMatchObject([
        { keep: true },
        { keep: false },
      ])
    })
    expect(nas.keys.filter((key) => key.includes('.runs'))).toEqual([])
    expect((await world.prune()).deleted).toEqual([old])
  })

  it('is needed by a restore that is not finished, of whatever server, as backup or as safety backup', async () => {
    const [, old = '', older = '', oldest = ''] = await world.store(1, 20, 30, 40)
    const record = (target: string, backupId: string, safety?: string) =>
      recordRestore(nas, 'prod', unfinishedRestore(target, backupId, safety), { signal: never() })
    await record('other:27017', old, older)
    await record('third:27017', 'elsewhere')
    const reason = 'needed by a restore that is not finished'
    expect(await world.prune()).toMatchObject({
      deleted: [oldest],
      decisions: [{}, { reason }, { reason }, { keep: false }],
    })
    nas.objects.set('prod/.restores/123456789abc.json', Buffer.from('{"target": '))
    expect(await errorOf(world.prune())).toMatchObject({
      message: expect.stringContaining('it is no record of a restore'),
    })
    nas.objects.delete('prod/.restores/123456789abc.json')
    await forgetRestore(nas, 'prod', unfinishedRestore('other:27017', old, older), { signal: never() })
    expect((await world.prune()).deleted).toEqual([older, old])
  })
})

describe('too much at once', () => {
  it('is refused whole, and told, unless it is meant', async () => {
    const ids = await world.store(1, 20, 21, 22, 23, 24)
    const outcome = await world.prune()
    expect(outcome).toMatchObject({ deleted: [], refused: expect.stringContaining('5 of 6 backups') })
    expect(world.intents).toEqual([])
    expect(world.events).toMatchObject([{ type: 'retention.applied', refused: true, failures: 0 }])
    expect(await world.left()).toEqual(ids)
    expect((await world.prune({ force: true })).deleted).toHaveLength(5)
  })

  it('a clock far ahead of the location is noticed even for one', async () => {
    await world.store(1, 20)
    const list = nas.list.bind(nas)
    const stamped = async (prefix: string): Promise<Entry[]> => {
      return (await list(prefix)).map((entry) => ({ ...entry, modified: new Date(NOW.getTime() - 3 * DAY_MS) }))
    }
    nas.list = stamped
    expect(await world.prune({ justStored: true })).toMatchObject({
      deleted: [],
      refused: expect.stringContaining('3d ahead'),
    })
    expect((await world.prune()).deleted).toHaveLength(1)
  })
})

describe('a kill in the middle', () => {
  it.each([1, 2, 3, 4])(
    'after %i deletions: a later sweep finishes, and no listed backup lacks anything',
    async (count) => {
      const ids = await world.store(1, 20, 30)
      let deletions = 0
      const { promise: killed, resolve } = Promise.withResolvers<void>()
      const remove = nas.delete.bind(nas)
      nas.delete = async (key) => {
        if (deletions === count) {
          resolve()
          return await new Promise<void>(() => undefined)
        }
        deletions += 1
        await remove(key)
      }
      void world.prune({ onDeleting: (deleting) => record(deleting) })
      await killed
      nas.delete = remove
      const outcome = await sweep(nas, {
        clusterName: 'prod',
        policies: ['nightly'],
        now: new Date(),
        isDead: () => true,
        signal: never(),
      })
      expect(outcome).toMatchObject({ runsSwept: 1, problems: [] })
      const listed = await world.left()
      expect(listed).toContain(ids[0])
      for (const id of ids) expect(world.keysOf(id)).toHaveLength(listed.includes(id) ? 2 : 0)
      expect(nas.keys.filter((key) => key.includes('.runs'))).toEqual([])
    },
  )

  /** What a run that dies now has on record. */
  async function record(deleting: readonly string[]): Promise<void> {
    const at = NOW.toISOString()
    const content = {
      format_version: 1,
      run_id: 'dead2222',
      policy: 'nightly',
      backup_id: createBackupId(NOW),
      owner: OWNER,
      started_at: at,
      heartbeat_at: at,
      leftovers: [],
      deleting,
    }
    nas.objects.set('prod/.runs/dead2222.json', Buffer.from(JSON.stringify(content)))
  }
})
