import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { isDamaged } from '../../agent/backup/proof.ts'
import { type VerifyOptions, type VerifyOutcome, verifyBackup, whatIsWrong } from '../../agent/backup/verify.ts'
import type { VerifyLevel } from '../../agent/backup/verify-level.ts'
import type { PolicyConfig } from '../../agent/config/config.ts'
import type { BackupSummary } from '../../agent/core/events.ts'
import { Secret } from '../../agent/core/secret.ts'
import type { CollectionFacts, MongodbFacts, RestorableSource, Source } from '../../agent/sources/source.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { collect, errorOf } from '../support/streams.ts'
import { fakeSource } from './fake-source.ts'
import { never, policy, run } from './nightly-run.ts'

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

describe('a verification', () => {
  it('reads what has the wrong size all the same, to tell what is affected; what is missing is not read', async () => {
    const { nas, backup } = await stored()
    const [key = ''] = nas.keys.filter((one) => one.endsWith('.zst'))
    const whole = nas.objects.get(key) ?? Buffer.alloc(0)
    nas.objects.set(key, whole.subarray(0, -1))
    const cut = await verify(nas, backup)
    expect(cut.checks).toMatchObject([{ level: 'stored' }, { level: 'decode', failure: { code: 'damaged' } }])
    expect(whatIsWrong(cut)).toMatch(/has \d+ bytes, its manifest says \d+; .*zstd/)
    nas.objects.delete(key)
    const missing = await verify(nas, backup)
    expect(missing).toMatchObject({ ok: false, checks: [{ level: 'stored', failure: { code: 'not_found' } }] })
    expect(isDamaged(missing)).toBe(true)
  })

  it('of a backup whose manifest is damaged says so; of one that was deleted meanwhile, that it is gone', async () => {
    const { nas, backup } = await stored()
    const [key = ''] = nas.keys.filter((one) => one.endsWith('.manifest.json'))
    nas.objects.set(key, Buffer.from('{"format_version": 1'))
    const outcome = await verify(nas, backup)
    expect(outcome).toMatchObject({ ok: false, checks: [{ file: 'manifest', ok: false }] })
    expect([isDamaged(outcome), whatIsWrong(outcome)]).toEqual([true, expect.stringContaining('it is not JSON')])
    nas.objects.delete(key)
    expect(await errorOf(verify(nas, backup))).toMatchObject({ code: 'not_found' })
  })

  it('of encrypted bytes that cannot be opened tells whether they are those that were stored', async () => {
    const [identity, other] = [await generateX25519Identity(), await generateX25519Identity()]
    const encryption = { ageRecipients: [await identityToRecipient(identity)] }
    const { nas, backup } = await stored({ encryption })
    const open = (text?: string) => verify(nas, backup, 'decode', { identity: text })
    expect(await open(identity)).toMatchObject({ ok: true })
    const whole = await open(other)
    expect(whole.checks).toMatchObject([{ level: 'stored', ok: true }, { level: 'content', ok: true }, { ok: false }])
    expect([isDamaged(whole), whatIsWrong(whole)]).toEqual([
      false,
      expect.stringContaining('identities given opens it'),
    ])
    // Not read for that: what is to be given is plain.
    const unopened = await open()
    expect(unopened.checks).toMatchObject([{ level: 'stored', ok: true }, { failure: { code: 'config' } }])
    const [key = ''] = nas.keys.filter((one) => one.endsWith('.age'))
    const bytes = nas.objects.get(key) ?? Buffer.alloc(0)
    // Within the recipient's stanza: no identity opens it any more.
    bytes.writeUInt8(bytes.readUInt8(60) ^ 1, 60)
    for (const any of [identity, other]) {
      const outcome = await open(any)
      expect(isDamaged(outcome)).toBe(true)
      expect(whatIsWrong(outcome)).toContain('its SHA-256 is not the one in its manifest')
    }
  })

  it('that a server did not take all of says nothing against the backup', async () => {
    const { nas, backup } = await stored()
    const dropped: string[] = []
    const problems = ['building index ttl of scratch_0.users: not supported']
    const source: RestorableSource = {
      ...fakeSource(),
      look: () => Promise.reject(new Error('not asked')),
      digest: () => Promise.reject(new Error('not asked')),
      dropDatabases: async (names) => void dropped.push(...names),
      async restore(body) {
        await collect(body)
        return { databases: [], collections: 0, documents: 0, bytes: 0, indexes: 0, problems, expiring: [] }
      },
    }
    const outcome = await verify(nas, backup, 'restore', { scratch: { source, prefix: 'scratch' } })
    expect(outcome.checks.at(-1)).toMatchObject({ level: 'restore', ok: false, failure: { code: 'unsupported' } })
    expect([isDamaged(outcome), dropped]).toEqual([false, ['scratch_0']])
    expect(whatIsWrong(outcome)).toContain('building index ttl')
  })
})

/** The check of a backup whose manifest names `USERS`, and whose archive is said to hold `found`. */
async function decode(found: readonly CollectionFacts[]) {
  const { nas, backup } = await stored()
  return (await verify(nas, backup, 'decode', { found })).checks.at(-1)
}

async function stored(packing: Partial<PolicyConfig> = {}): Promise<{ nas: MemoryLocation; backup: BackupSummary }> {
  const nas = new MemoryLocation('nas')
  const { outcome } = await run([nas], { sources: [sourceOf(USERS)], policy: { ...policy, ...packing } })
  expect(outcome.result).toBe('success')
  const { backupId } = outcome
  const startedAt = '2026-11-24T02:00:00Z'
  return { nas, backup: { policy: 'nightly', backupId, location: 'nas', startedAt, complete: true } }
}

function verify(
  nas: MemoryLocation,
  backup: BackupSummary,
  level: VerifyLevel = 'decode',
  { scratch, identity, found = [USERS] }: Verifying = {},
): Promise<VerifyOutcome> {
  const inspect: Source['inspect'] = async (body) => {
    await collect(body)
    return { source: 'mongodb', collections: found }
  }
  const sources = [{ name: 'mongodb' as const, inspect }]
  return verifyBackup(nas, backup, {
    ...{ clusterName: 'prod', level, sources, signal: never() },
    ...(scratch ? { scratch } : {}),
    ...(identity === undefined ? {} : { identity: new Secret(identity) }),
  })
}

interface Verifying {
  readonly scratch?: VerifyOptions['scratch']
  readonly identity?: string | undefined
  readonly found?: readonly CollectionFacts[]
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
