import { beforeAll, describe, expect, it } from 'vitest'
import { compareTarget } from '../../agent/backup/compare-target.ts'
import { planRestore } from '../../agent/backup/restore-plan.ts'
import type { SelectedCollection } from '../../agent/backup/restore-selection.ts'
import { runBackup } from '../../agent/backup/run-backup.ts'
import { systemClock } from '../../agent/core/clock.ts'
import type { MongodbFacts, Source, TargetFacts } from '../../agent/sources/source.ts'
import { testPolicy } from '../runs/test-config.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { errorOf } from '../support/streams.ts'
import { fakeSource } from './fake-source.ts'

const GIB = 1024 ** 3
const signal = new AbortController().signal
const nas = new MemoryLocation('nas')
let backupId: string

/** Ten GiB of users, from a server that tells its feature compatibility version. */
function source(): Source {
  const plain = fakeSource({ chunks: 1 })
  const users = { database: 'hubbledb', collection: 'users', type: 'collection' as const, documents: 10 }
  const collections = [{ ...users, bytes: 10 * GIB, crc64: '0'.repeat(16), digest: `sip128:${'0'.repeat(32)}` }]
  return {
    ...plain,
    async *read(options) {
      for await (const artifact of plain.read(options)) {
        const told = artifact.facts() as MongodbFacts
        yield { ...artifact, facts: () => ({ ...told, featureCompatibilityVersion: '7.0', collections }) }
      }
    },
  }
}

beforeAll(async () => {
  const outcome = await runBackup({
    ...{ runId: 'run22222', clusterName: 'prod', sources: [source()], locations: [nas], toolVersion: '0' },
    policy: testPolicy({ backupLocations: ['nas'] }),
    owner: { host: 'here', boot: 'b', pid: 1, started: '1' },
    isDead: () => false,
    clock: systemClock,
    emit: () => undefined,
    signal,
  })
  backupId = outcome.backupId
})

const good: TargetFacts = {
  host: 'mongo:27017',
  serverVersion: '7.0.1',
  featureCompatibilityVersion: '7.0',
  databases: [],
  freeBytes: 100 * GIB,
  missingRights: [],
}

function plan(changes: Partial<TargetFacts>) {
  const backup = { backupId, policy: 'nightly', location: 'nas', startedAt: '', complete: true }
  const look = async (): Promise<TargetFacts> => ({ ...good, ...changes })
  return planRestore(nas, 'prod', backup, { look }, { signal })
}

describe('the plan of a restore', () => {
  it('names what is dropped and what could not be compared', async () => {
    expect(await plan({})).toMatchObject({ drop: ['hubbledb'], databases: ['hubbledb'] })
    const { missingRights: _, ...silent } = good
    const look = async (): Promise<TargetFacts> => silent
    const backup = { backupId, policy: 'nightly', location: 'nas', startedAt: '', complete: true }
    const { notes } = await planRestore(nas, 'prod', backup, { look }, { signal })
    expect(notes).toContain('the target does not tell what its user may do')
  })

  it.each([
    [{ serverVersion: '6.0.12' }, 'refused', 'the target is the older MongoDB 6.0.12'],
    [{ missingRights: ['insert on hubbledb'] }, 'permission', 'the user of the target may not: insert on hubbledb'],
    [
      { featureCompatibilityVersion: '6.0' },
      'refused',
      'its feature compatibility version is 7.0, that of the target 6.0',
    ],
    [{ serverVersion: '7.0.1', featureCompatibilityVersion: '4.4' }, 'refused', 'that of the target 4.4'],
    [{ freeBytes: 2 * GIB }, 'no_space', '10 GiB are to be put back, and the disk of the target has 2.0 GiB free'],
    [{ alike: ['HubbleDB'] }, 'refused', 'the target has HubbleDB, and MongoDB takes no database'],
  ] as const)('refuses %j before anything is changed', async (changes, code, why) => {
    expect(await errorOf(plan(changes))).toMatchObject({ code, message: expect.stringContaining(why) })
  })
})

describe('the plan of a restore that may be made', () => {
  it.each([
    [{ serverVersion: '8.0.4', featureCompatibilityVersion: '8.0' }, []],
    [{ serverVersion: '10.0.0', featureCompatibilityVersion: '10.0' }, []],
    [{ featureCompatibilityVersion: '7.3' }, []],
    // Documents are packed on the disk of most servers: told, not refused.
    [{ freeBytes: 4 * GIB }, ['10 GiB are put back, and the disk of the target has 4.0 GiB free']],
    // What is dropped first makes room.
    [{ freeBytes: GIB, databases: [{ name: 'hubbledb', collections: 1, bytes: 12 * GIB }] }, []],
  ] as const)('into %j is told %j', async (changes, notes) => {
    expect((await plan(changes)).notes).toEqual(notes)
  })

  it('tells what could not be compared', async () => {
    const { featureCompatibilityVersion: _, freeBytes: __, ...silent } = good
    const look = async (): Promise<TargetFacts> => silent
    const backup = { backupId, policy: 'nightly', location: 'nas', startedAt: '', complete: true }
    const { notes } = await planRestore(nas, 'prod', backup, { look }, { signal })
    expect(notes).toEqual([
      expect.stringContaining('feature compatibility versions could not be compared'),
      'the target does not tell how much room its disk has',
    ])
  })
})

describe('the comparison with the target', () => {
  const place = { database: 'hubbledb', collection: 'events', type: 'collection' } as const
  const digest = `sip128:${'0'.repeat(32)}`
  const expected: SelectedCollection[] = [
    { place, from: { ...place, documents: 10, bytes: 100, crc64: '0'.repeat(16), digest } },
  ]

  it('accepts what is the same, and fewer documents only where they expire', () => {
    expect(compareTarget('x', expected, [{ ...place, documents: 10, digest }], [])).toEqual({ notes: [] })
    const fewer = [{ ...place, documents: 9, digest: `sip128:${'1'.repeat(32)}` }]
    const { notes } = compareTarget('x', expected, fewer, ['hubbledb.events'])
    expect(notes).toEqual([expect.stringContaining('9 documents instead of 10')])
    expect(() => compareTarget('x', expected, fewer, [])).toThrow('9 documents instead of 10')
  })

  it.each([
    [[], 'nothing, it is not there'],
    [[{ ...place, documents: 11, digest }], '11 documents instead of 10'],
    [[{ ...place, documents: 10, digest: `sip128:${'1'.repeat(32)}` }], 'other bytes in its 10 documents'],
  ])('finds %j', (found, why) => {
    expect(() => compareTarget('x', expected, found, ['hubbledb.events'])).toThrow(why)
  })
})
