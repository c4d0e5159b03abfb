import { describe, expect, it } from 'vitest'
import type { Manifest } from '../../agent/backup/manifest.ts'
import { intoOf, selectCollections } from '../../agent/backup/restore-selection.ts'
import { Failure } from '../../agent/core/errors.ts'

const manifest = manifestOf({
  hubbledb: ['users', 'user.sessions', 'clusters', 'a*b'],
  hubble_archivedb: ['old'],
  empty: [],
})

function select(include?: string[], rename?: Record<string, string>) {
  const selected = selectCollections(manifest, { ...(include ? { include } : {}), ...(rename ? { rename } : {}) })
  return { into: Object.fromEntries(intoOf(selected)), drop: selected.drop, databases: selected.databases }
}

describe('what a restore selects', () => {
  it('is everything, where it was, when nothing is said', () => {
    expect(select()).toMatchObject({ drop: ['hubbledb', 'hubble_archivedb', 'empty'] })
    expect(Object.keys(select().into)).toHaveLength(5)
  })

  it.each([
    [['hubbledb'], ['hubbledb'], 4],
    [['hubbledb.*'], ['hubbledb'], 4],
    [['hubble*'], ['hubbledb', 'hubble_archivedb'], 5],
    [['hubbledb.user*'], [], 2],
    [['hubbledb.user.sessions'], [], 1],
    [['hubbledb.users', 'hubble_archivedb'], ['hubble_archivedb'], 2],
    [['empty'], ['empty'], 0],
    [['*.old'], [], 1],
  ])('with %j drops %j whole and puts %d collections back', (include, drop, collections) => {
    const selected = select(include)
    expect(selected.drop).toEqual(drop)
    expect(Object.keys(selected.into)).toHaveLength(collections)
  })

  it('goes into the databases that were renamed', () => {
    expect(select(['hubbledb.users'], { hubbledb: 'check' })).toEqual({
      into: { 'hubbledb.users': 'check' },
      drop: [],
      databases: ['check'],
    })
    expect(select(['hubbledb'], { hubbledb: 'check' }).drop).toEqual(['check'])
  })

  it.each([
    [['hubledb'], {}, 'not_found', 'holds nothing that is named hubledb'],
    [['hubbledb.usersx'], {}, 'not_found', 'holds nothing that is named hubbledb.usersx'],
    [['hubbledb'], { other: 'x' }, 'not_found', 'holds no database named other'],
    [['hubbledb'], { hubbledb: 'admin' }, 'refused', 'belongs to the server'],
    [['hubbledb'], { hubbledb: 'a.b' }, 'config', 'takes no database named'],
    [['hubbledb'], { hubbledb: 'é'.repeat(32) }, 'config', 'takes no database named'],
    [['hubbledb'], { hubbledb: 'Hubble_archivedb' }, 'config', 'both go into hubble_archivedb'],
  ] as const)('refuses %j with %j', (include, rename, code, why) => {
    try {
      select([...include], rename)
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(Failure)
      expect(thrown).toMatchObject({ code, message: expect.stringContaining(why) })
      return
    }
    throw new Error('it was accepted')
  })
})

function manifestOf(databases: Readonly<Record<string, readonly string[]>>): Manifest {
  const at = '2026-11-24T02:00:00Z'
  const collections = Object.entries(databases).flatMap(([database, names]) =>
    names.map((collection) => ({
      ...{ database, collection, type: 'collection' as const, documents: 1, bytes: 5 },
      crc64: '0'.repeat(16),
    })),
  )
  return {
    ...{ format_version: 1, tool_version: '0', backup_id: '20261124T020000Z-aaaaaa', run_id: 'r' },
    ...{ cluster_name: 'prod', policy: 'nightly', started_at: at, finished_at: at, result: 'complete', warnings: [] },
    retention: { retention_period_days: 1, keep_minimum: 1 },
    artifacts: [
      {
        ...{ source: 'mongodb', file: 'mongodb.archive.zst', compression: 'zstd', bytes: 1, stored_bytes: 1 },
        ...{ sha256: '0'.repeat(64), stored_sha256: '0'.repeat(64) },
        mongodb: {
          server_version: '7.0.1',
          consistency: { level: 'snapshot', at, from: at, to: at },
          databases: Object.keys(databases),
          collections,
        },
      },
    ],
  }
}
