import { describe, expect, it } from 'vitest'
import { verifyBackup } from '../../agent/backup/verify.ts'
import type { CollectionFacts, MongodbFacts, Source } from '../../agent/sources/source.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { collect } from '../support/streams.ts'
import { fakeSource } from './fake-source.ts'
import { never, run } from './nightly-run.ts'

const USERS: CollectionFacts = {
  database: 'hubbledb',
  collection: 'users',
  type: 'collection',
  documents: 10,
  bytes: 1000,
  crc64: '0'.repeat(16),
  digest: `sip128:${'0'.repeat(32)}`,
}

describe('decoding an artifact', () => {
  it.each([
    ['fewer documents', { documents: 9 }, 'hubbledb.users holds 9 documents, its manifest says 10'],
    ['another checksum', { crc64: '1'.repeat(16) }, 'other bytes in its 10 documents than its manifest says'],
    [
      'another digest',
      { digest: `sip128:${'1'.repeat(32)}` },
      'other bytes in its 10 documents than its manifest says',
    ],
  ])('that holds %s says how it differs', async (_, changes, difference) => {
    const check = await decode([{ ...USERS, ...changes }])
    expect(check).toMatchObject({
      ok: false,
      failure: { code: 'damaged', message: expect.stringContaining(difference) },
    })
  })

  it('that lacks a collection says so, and the same is no difference', async () => {
    expect((await decode([]))?.failure?.message).toContain('hubbledb.users holds no documents, its manifest says 10')
    expect(await decode([USERS])).toMatchObject({ ok: true })
  })
})

/** The check of a backup whose manifest names `USERS`, and whose archive is said to hold `found`. */
async function decode(found: readonly CollectionFacts[]) {
  const nas = new MemoryLocation('nas')
  const { outcome } = await run([nas], { sources: [sourceOf(USERS)] })
  expect(outcome.result).toBe('success')
  const inspect: Source['inspect'] = async (body) => {
    await collect(body)
    return { source: 'mongodb', collections: found }
  }
  const { backupId } = outcome
  const backup = { policy: 'nightly', backupId, location: 'nas', startedAt: '2026-11-24T02:00:00Z', complete: true }
  const sources = [{ name: 'mongodb' as const, inspect }]
  const { checks } = await verifyBackup(nas, backup, { clusterName: 'prod', level: 'decode', sources, signal: never() })
  return checks.at(-1)
}

function sourceOf(...collections: CollectionFacts[]): Source {
  const plain = fakeSource({ chunks: 1 })
  return {
    ...plain,
    async *read(options) {
      for await (const artifact of plain.read(options)) {
        const facts = (): MongodbFacts => ({ ...(artifact.facts() as MongodbFacts), collections })
        yield { ...artifact, facts }
      }
    },
  }
}
