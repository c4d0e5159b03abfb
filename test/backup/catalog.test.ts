import { expect, it } from 'vitest'
import { catalogOf } from '../../agent/backup/catalog.ts'

const ID = '20261120T020000Z-aaaaaa'
const facts = (...suffixes: string[]) =>
  catalogOf(
    { name: 'nas' },
    { clusterName: 'prod', policy: 'nightly' },
    suffixes.map((suffix) => ({ key: `prod/nightly/${ID}${suffix}` })),
  )

it('a backup is what has a manifest; what is known of it lies beside it', () => {
  const known = { backupId: ID, policy: 'nightly', location: 'nas', startedAt: '2026-11-20T02:00:00.000Z' }
  expect(facts('.manifest.json')).toEqual([{ ...known, complete: true }])
  expect(facts('.partial.json', '.pin')).toEqual([{ ...known, complete: false, pinned: true }])
  expect(facts('.manifest.json', '.verified.json')).toEqual([{ ...known, complete: true, verified: true }])
  expect(facts('.verified.json', '.pin', '/mongodb.archive.zst')).toEqual([])
})

it('one that was proven and then found damaged is damaged', () => {
  expect(facts('.damaged.json', '.manifest.json', '.verified.json')).toEqual([
    expect.objectContaining({ damaged: true }),
  ])
  expect(facts('.damaged.json', '.manifest.json', '.verified.json')[0]).not.toHaveProperty('verified')
})
