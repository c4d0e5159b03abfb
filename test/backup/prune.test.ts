import { beforeEach, describe, expect, it } from 'vitest'
import { createBackupId } from '../../agent/backup/backup-id.ts'
import { readCatalog } from '../../agent/backup/catalog.ts'
import { holdBackup } from '../../agent/backup/hold.ts'
import type { InFlightRecord } from '../../agent/backup/in-flight.ts'
import { pinBackup, unpinBackup } from '../../agent/backup/pin.ts'
import type { PruneOptions } from '../../agent/backup/prune.ts'
import { prune } from '../../agent/backup/prune.ts'
import { runBackup } from '../../agent/backup/run-backup.ts'
import { sweep } from '../../agent/backup/sweep.ts'
import { forgetRestore, recordRestore, type UnfinishedRestore } from '../../agent/backup/unfinished-restore.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import type { RunEvent } from '../../agent/core/events.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import type { Entry } from '../../agent/locations/location.ts'
import { testPolicy } from '../runs/test-config.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { errorOf } from '../support/streams.ts'
import { fakeSource } from './fake-source.ts'

const NOW = new Date('2026-11-24T12:00:00Z')
const OWNER = { host: 'here', boot: 'b', pid: 1, started: '1' }
const REF = { clusterName: 'prod', policy: 'nightly' }

let nas: MemoryLocation
let events: RunEvent[]
let intents: (readonly string[])[]

beforeEach(() => {
  nas = new MemoryLocation('nas')
  events = []
  intents = []
})

const never = () => new AbortController().signal

/** Makes whole backups of so many days ago; gives their ids, in that order. */
async function store(...agesDays: number[]): Promise<string[]> {
  const ids: string[] = []
  for (const age of agesDays) {
    const at = new Date(NOW.getTime() - age * DAY_MS)
    const { backupId } = await runBackup({
      runId: 'run22222',
      clusterName: 'prod',
      policy: testPolicy({ backupLocations: ['nas'], retentionDays: 3650 }),
      sources: [fakeSource()],
      locations: [nas],
      owner: OWNER,
      isDead: () => false,
      toolVersion: '0.1.0',
      clock: { ...systemClock, now: () => at },
      emit: () => undefined,
      signal: never(),
    })
    ids.push(backupId)
  }
  return ids
}

function run(changes: Partial<PruneOptions> = {}) {
  return prune(nas, {
    ...REF,
    rule: { retentionDays: 14, keepMinimum: 1 },
    now: NOW,
    runId: 'prune222',
    isDead: () => false,
    emit: (event) => events.push(event),
    signal: never(),
    onDeleting: async (ids) => void intents.push(ids),
    ...changes,
  })
}

const left = async () => (await readCatalog(nas, REF, { signal: never() })).map(({ backupId }) => backupId)
const keysOf = (id: string) => nas.keys.filter((key) => key.includes(id))

describe('pruning', () => {
  it('deletes the manifest first, then everything else, oldest backup first, and says what it will do before', async () => {
    const [young = '', old = '', older = ''] = await store(1, 20, 30)
    const order: string[] = []
    nas.fault = (operation, key) => {
      if (operation === 'delete') order.push(key.slice('prod/nightly/'.length))
      if (operation === 'delete') expect(intents).toEqual([[older, old]])
    }
    expect(await run()).toMatchObject({ deleted: [older, old], problems: [], unfinished: false })
    expect(order[0]).toBe(`${older}.manifest.json`)
    expect(order[1]).toBe(`${older}/mongodb.archive.zst`)
    expect(order.findIndex((key) => key.startsWith(old))).toBeGreaterThan(3)
    expect(await left()).toEqual([young])
    expect(nas.keys).toHaveLength(2)
    expect(events.map(({ type }) => type)).toEqual(['backup.deleted', 'backup.deleted', 'retention.applied'])
  })

  it('dry, touches nothing', async () => {
    const ids = await store(1, 20)
    nas.fault = (operation) => expect(['list', 'get', 'stat']).toContain(operation)
    expect(await run({ dryRun: true })).toMatchObject({ deleted: [], decisions: [{ keep: true }, { keep: false }] })
    expect(await left()).toEqual(ids)
    expect(events).toEqual([])
  })

  it('leaves alone what it cannot read, and counts it', async () => {
    const [, old = '', older = ''] = await store(1, 20, 30)
    nas.objects.set(`prod/nightly/${old}.manifest.json`, Buffer.from('{"format_version": 99}'))
    const outcome = await run()
    expect(outcome.deleted).toEqual([older])
    expect(outcome.problems).toHaveLength(1)
    expect(outcome.problems[0]).toContain('format version 99')
    expect(keysOf(old)).toHaveLength(2)
    expect(events.at(-1)).toMatchObject({ type: 'retention.applied', failures: 1, refused: false })
  })

  it('goes on after a backup that cannot be deleted', async () => {
    const [, old = '', older = ''] = await store(1, 20, 30)
    nas.fault = (operation, key) => {
      if (operation === 'delete' && key.includes(older)) throw new Failure('deleting: no', { code: 'permission' })
    }
    expect(await run()).toMatchObject({ deleted: [old], problems: ['deleting: no'] })
  })

  it('does not believe a location that says deleted and lists it still', async () => {
    await store(1, 20)
    const remove = nas.delete.bind(nas)
    nas.delete = async (key) => (key.endsWith('.zst') ? undefined : remove(key))
    const outcome = await run()
    expect(outcome.unfinished).toBe(true)
    expect(outcome.problems).toEqual([expect.stringContaining('lists some of it still')])
  })
})

describe('what is deleted never', () => {
  it('is pinned, until it is unpinned', async () => {
    const [, old = ''] = await store(1, 20)
    const backup = { policy: 'nightly', backupId: old }
    await pinBackup(nas, 'prod', backup, { pinned_at: NOW.toISOString(), reason: 'audit' }, { signal: never() })
    expect((await readCatalog(nas, REF, { signal: never() }))[1]).toMatchObject({ backupId: old, pinned: true })
    expect(await run()).toMatchObject({ deleted: [], decisions: [{ keep: true }, { keep: true, reason: 'pinned' }] })
    await unpinBackup(nas, 'prod', backup, { signal: never() })
    expect(await run()).toMatchObject({ deleted: [old] })
    expect(keysOf(old)).toEqual([])
  })

  it('is the newest verified one', async () => {
    const [, old = '', older = ''] = await store(1, 20, 30)
    nas.objects.set(`prod/nightly/${older}.verified.json`, Buffer.from('{}'))
    expect((await run()).deleted).toEqual([old])
    expect(keysOf(older)).toHaveLength(3)
  })

  it('is being read by a restore, while its process lives', async () => {
    const [, old = ''] = await store(1, 20)
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
      expect((await run()).deleted).toEqual([])
      expect((await run({ dryRun: true, isDead: dead })).decisions).toMatchObject([{ keep: true }, { keep: false }])
    })
    expect(nas.keys.filter((key) => key.includes('.runs'))).toEqual([])
    expect((await run()).deleted).toEqual([old])
  })

  it('is needed by a restore that is not finished, of whatever server, as backup or as safety backup', async () => {
    const [, old = '', older = '', oldest = ''] = await store(1, 20, 30, 40)
    const record = (target: string, backupId: string, safety?: string) =>
      recordRestore(nas, 'prod', unfinished(target, backupId, safety), { signal: never() })
    await record('other:27017', old, older)
    await record('third:27017', 'elsewhere')
    const reason = 'needed by a restore that is not finished'
    expect(await run()).toMatchObject({ deleted: [oldest], decisions: [{}, { reason }, { reason }, { keep: false }] })
    nas.objects.set('prod/.restores/123456789abc.json', Buffer.from('{"target": '))
    expect(await errorOf(run())).toMatchObject({ message: expect.stringContaining('it is no record of a restore') })
    nas.objects.delete('prod/.restores/123456789abc.json')
    await forgetRestore(nas, 'prod', unfinished('other:27017', old, older), { signal: never() })
    expect((await run()).deleted).toEqual([older, old])
  })

  it('is no longer needed by a restore that is finished, although its record may not be deleted', async () => {
    const [, old = ''] = await store(1, 20)
    const record = unfinished('mongo:27017', old, undefined)
    await recordRestore(nas, 'prod', record, { signal: never() })
    nas.fault = noDeletion
    await forgetRestore(nas, 'prod', record, { signal: never() })
    nas.fault = () => undefined
    expect(nas.keys.filter((key) => key.includes('.restores'))).toHaveLength(1)
    expect((await run()).deleted).toEqual([old])
  })

  it('holding a backup where nothing may be deleted leaves a record of a hold that is over', async () => {
    const [, old = ''] = await store(1, 20)
    nas.fault = noDeletion
    const reading = { ...REF, backupId: old, doing: 'verify' as const }
    const hold = { ...reading, runId: 'r', owner: OWNER, clock: systemClock, signal: never() }
    expect(await holdBackup(nas, { ...hold, warn: (message) => expect.fail(message) }, async () => 7)).toBe(7)
    nas.fault = () => undefined
    expect((await run({ isDead: () => false })).deleted).toEqual([old])
  })

  it('is told in one sentence, and counted one by one, where nothing may be deleted', async () => {
    const ids = await store(1, 20, 30, 40)
    nas.fault = noDeletion
    const { deleted, problems, unfinished } = await run()
    expect({ deleted, unfinished }).toEqual({ deleted: [], unfinished: false })
    expect(problems).toEqual([`deleting prod/nightly/${ids.at(-1)}.manifest.json: no right; and so for 2 others`])
    expect(events).toContainEqual(expect.objectContaining({ type: 'retention.applied', failures: 3 }))
  })

  it('holding a backup in a location that cannot be written to is told, and goes on', async () => {
    const warnings: string[] = []
    nas.fault = (operation) => {
      if (operation === 'put') throw new Failure('storing: read only', { code: 'permission' })
    }
    const reading = { ...REF, backupId: 'b', doing: 'verify' as const }
    const hold = { ...reading, runId: 'r', owner: OWNER, clock: systemClock, signal: never() }
    expect(await holdBackup(nas, { ...hold, warn: (message) => warnings.push(message) }, async () => 7)).toBe(7)
    expect(warnings).toEqual([expect.stringContaining('read only')])
  })
})

function noDeletion(operation: string, key: string): void {
  if (operation === 'delete') throw new Failure(`deleting ${key}: no right`, { code: 'permission' })
}

function unfinished(target: string, backupId: string, safety: string | undefined): UnfinishedRestore {
  const replaced = { databases: ['hubbledb'], drop: ['hubbledb'], collections: [] }
  return {
    ...{ format_version: 1, run_id: 'rest2222', target, owner: OWNER, backup_id: backupId, policy: 'nightly' },
    ...{ ...replaced, stage: 'restoring', started_at: NOW.toISOString() },
    ...(safety === undefined ? {} : { safety: { backup_id: safety, complete: true } }),
  }
}

describe('too much at once', () => {
  it('is refused whole, and told, unless it is meant', async () => {
    const ids = await store(1, 20, 21, 22, 23, 24)
    const outcome = await run()
    expect(outcome).toMatchObject({ deleted: [], refused: expect.stringContaining('5 of 6 backups') })
    expect(intents).toEqual([])
    expect(events).toMatchObject([{ type: 'retention.applied', refused: true, failures: 0 }])
    expect(await left()).toEqual(ids)
    expect((await run({ force: true })).deleted).toHaveLength(5)
  })

  it('a clock far ahead of the location is noticed even for one', async () => {
    await store(1, 20)
    const list = nas.list.bind(nas)
    const stamped = async (prefix: string): Promise<Entry[]> => {
      return (await list(prefix)).map((entry) => ({ ...entry, modified: new Date(NOW.getTime() - 3 * DAY_MS) }))
    }
    nas.list = stamped
    expect(await run({ justStored: true })).toMatchObject({ deleted: [], refused: expect.stringContaining('3d ahead') })
    expect((await run()).deleted).toHaveLength(1)
  })
})

describe('a kill in the middle', () => {
  it.each([1, 2, 3, 4])(
    'after %i deletions: a later sweep finishes, and no listed backup lacks anything',
    async (count) => {
      const ids = await store(1, 20, 30)
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
      void run({ onDeleting: (deleting) => record(deleting) })
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
      const listed = await left()
      expect(listed).toContain(ids[0])
      for (const id of ids) expect(keysOf(id)).toHaveLength(listed.includes(id) ? 2 : 0)
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
