import { beforeEach, describe, expect, it } from 'vitest'
import { InFlight, type InFlightRecord } from '../../agent/backup/in-flight.ts'
import { otherRuns } from '../../agent/backup/in-use.ts'
import type { SweepOptions } from '../../agent/backup/sweep.ts'
import { planSweep, sweep } from '../../agent/backup/sweep.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { streamOf } from '../support/streams.ts'
import { OWNER } from './nightly-run.ts'

const OLD = '20261120T020000Z-aaaaaa'
const YOUNG = '20261123T120000Z-bbbbbb'
const NOW = new Date('2026-11-24T02:00:00Z')

let nas: MemoryLocation

beforeEach(() => {
  nas = new MemoryLocation('nas')
})

describe('artifacts without a manifest', () => {
  it('are removed once they are old', async () => {
    await store(`prod/nightly/${OLD}/mongodb.archive.zst`, `prod/nightly/${YOUNG}/mongodb.archive.zst`)
    expect(await planSweep(nas, options())).toMatchObject({
      orphans: [{ policy: 'nightly', backupId: OLD, objects: 1, bytes: 1 }],
    })
    expect(nas.keys).toHaveLength(2)
    expect(await sweep(nas, options())).toMatchObject({ objectsDeleted: 1, problems: [] })
    expect(nas.keys).toEqual([`prod/nightly/${YOUNG}/mongodb.archive.zst`])
  })

  it.each([
    ['its manifest is there', [`prod/nightly/${OLD}.manifest.json`]],
    ['its manifest says that it is not complete', [`prod/nightly/${OLD}.partial.json`]],
    ['it is pinned', [`prod/nightly/${OLD}.pin`]],
    ['it was proven once', [`prod/nightly/${OLD}.verified.json`]],
  ])('stay when %s', async (_why, keys) => {
    await store(`prod/nightly/${OLD}/mongodb.archive.zst`, ...keys)
    await sweep(nas, options())
    expect(nas.keys).toHaveLength(2)
  })

  it('stay when they are not of our making', async () => {
    const keys = [
      `prod/nightly/notes/${OLD}.txt`,
      'prod/nightly/20261120/old.zst',
      `prod/nightly/${OLD}/deeper/file.zst`,
      `prod/weekly/${OLD}/mongodb.archive.zst`,
      `other/nightly/${OLD}/mongodb.archive.zst`,
    ]
    await store(...keys)
    await sweep(nas, options())
    expect(nas.keys).toEqual([...keys].sort())
  })

  it('stay when a record names them, be its run alive or not to be read at all', async () => {
    await store(`prod/nightly/${OLD}/mongodb.archive.zst`)
    await put('prod/.runs/alive.json', JSON.stringify(record('alive', OLD)))
    await sweep(nas, options({ isDead: () => false }))
    expect(nas.keys).toHaveLength(2)
    await nas.delete('prod/.runs/alive.json')
    await put('prod/.runs/garbled.json', '{"format_version":')
    expect((await sweep(nas, options())).problems).toEqual([expect.stringContaining('prod/.runs/garbled.json')])
    expect(nas.keys).toHaveLength(2)
  })

  it('stay when the location itself says that they are young', async () => {
    await store(`prod/nightly/${OLD}/mongodb.archive.zst`)
    const list = nas.list.bind(nas)
    nas.list = async (prefix) => (await list(prefix)).map((entry) => ({ ...entry, modified: new Date(NOW) }))
    await sweep(nas, options())
    expect(nas.keys).toHaveLength(1)
  })

  it('stay when a listing leaves their manifest out', async () => {
    await store(`prod/nightly/${OLD}/mongodb.archive.zst`, `prod/nightly/${OLD}.manifest.json`)
    const list = nas.list.bind(nas)
    nas.list = async (prefix) => (await list(prefix)).filter(({ key }) => !key.endsWith('.manifest.json'))
    await sweep(nas, options())
    expect(nas.keys).toHaveLength(2)
  })
})

it('goes on with the other runs when one cannot be cleaned up, and leaves its record', async () => {
  await put('prod/.runs/first.json', JSON.stringify(record('first', OLD, [{ key: 'prod/nightly/x', handle: 'u1' }])))
  await put(
    'prod/.runs/second.json',
    JSON.stringify(record('second', YOUNG, [{ key: 'prod/nightly/y', handle: 'u2' }])),
  )
  nas.fault = (operation, key) => {
    if (operation === 'discard' && key === 'prod/nightly/x') throw new Failure('no right', { code: 'permission' })
  }
  expect(await sweep(nas, options())).toEqual({ runsSwept: 1, objectsDeleted: 1, problems: ['no right'] })
  expect(nas.keys).toEqual(['prod/.runs/first.json'])
  expect(nas.discarded).toEqual([{ key: 'prod/nightly/y', handle: 'u2' }])
})

describe('where nothing may be deleted', () => {
  const inFlight = (runId: string, policy = 'nightly'): InFlight =>
    new InFlight(nas, {
      ...{ clusterName: 'prod', runId, policy, backupId: OLD, doing: 'backup', owner: OWNER },
      ...{ clock: systemClock, signal: new AbortController().signal },
    })
  const { signal } = new AbortController()

  beforeEach(() => {
    nas.fault = (operation, key) => {
      if (operation !== 'delete' || !nas.objects.has(key)) return
      throw new Failure(`deleting ${key}: no right`, { code: 'permission' })
    }
  })

  it('a run leaves a record that says so, and the next one writes over it: there is never another', async () => {
    await inFlight('first').open()
    expect(await sweep(nas, options({ isDead: () => false }))).toEqual({
      ...{ runsSwept: 0, objectsDeleted: 0, problems: [] },
    })
    const first = inFlight('first')
    await first.open()
    await first.close(signal)
    for (const runId of ['second', 'third']) {
      const { slot, problems } = await sweep(nas, options({ isDead: () => false }))
      expect(problems).toEqual(['deleting prod/.runs/first.json: no right'])
      const next = inFlight(runId)
      await next.open(slot)
      expect(await otherRuns(nas, seen)).toMatchObject([{ run_id: runId }])
      await next.close(signal)
      expect(await otherRuns(nas, seen)).toEqual([])
    }
    expect(nas.keys).toEqual(['prod/.runs/first.json'])
    nas.fault = () => undefined
    expect((await sweep(nas, options())).problems).toEqual([])
    expect(nas.keys).toEqual([])
  })

  it('writes over the record of a run that died, too', async () => {
    await put('prod/.runs/dead.json', JSON.stringify(record('dead', OLD)))
    expect(await sweep(nas, options())).toMatchObject({ slot: 'dead', runsSwept: 0 })
  })

  it('what a run that died on such a record held is cleaned up', async () => {
    const first = inFlight('first')
    await first.open()
    await first.close(signal)
    const second = inFlight('second')
    await second.open('first')
    await second.remember({ key: 'prod/nightly/x', handle: 'u1' })
    await second.stop()
    nas.fault = () => undefined
    expect(await sweep(nas, options())).toMatchObject({ runsSwept: 1, problems: [] })
    expect(nas.discarded).toEqual([{ key: 'prod/nightly/x', handle: 'u1' }])
    expect(nas.keys).toEqual([])
  })

  it('does not write over a record whose deletion may still come: its answer was only lost', async () => {
    await put('prod/.runs/dead.json', JSON.stringify(record('dead', OLD)))
    nas.fault = (operation) => {
      if (operation === 'delete') throw new Failure('deleting: no answer', { code: 'unreachable' })
    }
    const swept = await sweep(nas, options())
    expect(swept.problems).toEqual(['deleting: no answer'])
    expect(swept).not.toHaveProperty('slot')
  })

  it('a policy does not write over the record of another', async () => {
    const weekly = inFlight('first', 'weekly')
    await weekly.open()
    await weekly.close(signal)
    expect(await sweep(nas, options())).not.toHaveProperty('slot')
  })

  it('says so in one sentence, however much there is', async () => {
    await store(`prod/nightly/${OLD}/a.zst`)
    for (const runId of ['a', 'b', 'c']) await put(`prod/.runs/${runId}.json`, JSON.stringify(record(runId, YOUNG)))
    const { problems } = await sweep(nas, options())
    expect(problems).toEqual(['deleting prod/.runs/a.json: no right; and so for 3 others'])
  })

  const seen = { clusterName: 'prod', runId: 'me', isDead: () => false, signal }
})

function record(runId: string, backupId: string, leftovers: InFlightRecord['leftovers'] = []): InFlightRecord {
  return {
    format_version: 1,
    run_id: runId,
    policy: 'nightly',
    backup_id: backupId,
    owner: { host: 'elsewhere', boot: 'b', pid: 1, started: '1' },
    started_at: NOW.toISOString(),
    heartbeat_at: NOW.toISOString(),
    leftovers,
    receipts: [],
  }
}

function options(changes: Partial<SweepOptions> = {}): SweepOptions {
  const { signal } = new AbortController()
  return { clusterName: 'prod', policies: ['nightly'], now: NOW, isDead: () => true, signal, ...changes }
}

async function store(...keys: string[]): Promise<void> {
  for (const key of keys) await put(key, 'x')
}

async function put(key: string, content: string): Promise<void> {
  await nas.put(key, streamOf(Buffer.from(content)), { signal: new AbortController().signal })
}
