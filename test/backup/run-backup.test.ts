import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { describe, expect, it } from 'vitest'
import { backupIdTime } from '../../agent/backup/backup-id.ts'
import type { InFlightRecord } from '../../agent/backup/in-flight.ts'
import { decodeManifest } from '../../agent/backup/manifest.ts'
import { verifyBackup } from '../../agent/backup/verify.ts'
import { Failure } from '../../agent/core/errors.ts'
import { Secret } from '../../agent/core/secret.ts'
import { decrypt } from '../../agent/pack/age/decrypt.ts'
import { decompress } from '../../agent/pack/decompress.ts'
import type { KubernetesFacts, Source } from '../../agent/sources/source.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { collect, streamOf } from '../support/streams.ts'
import { fakeSource } from './fake-source.ts'
import { never, OWNER, oldBackups, policy, run } from './nightly-run.ts'

describe('a backup run', () => {
  it('stores the same backup everywhere, with its manifest, and nothing else', async () => {
    const [s3, nas] = [new MemoryLocation('s3'), new MemoryLocation('nas')]
    const { outcome, events } = await run([s3, nas])
    expect(outcome).toMatchObject({ result: 'success', stored: ['s3', 'nas'], failed: [], warnings: [] })
    const id = outcome.backupId
    expect(nas.keys).toEqual([`prod/nightly/${id}.manifest.json`, `prod/nightly/${id}/mongodb.archive.zst`])
    expect(s3.keys).toEqual(nas.keys)
    const manifest = decodeManifest(nas.objects.get(`prod/nightly/${id}.manifest.json`) ?? Buffer.alloc(0), 'nas')
    expect(manifest).toMatchObject({ backup_id: id, result: 'complete', cluster_name: 'prod', policy: 'nightly' })
    const stored = events.filter((event) => event.type === 'location.stored')
    expect(stored).toHaveLength(2)
    // The same start, whoever is asked: the event, the manifest, a listing.
    const startedAt = backupIdTime(id)?.toISOString()
    expect(stored[0]).toMatchObject({ startedAt })
    expect(manifest).toMatchObject({ started_at: startedAt })
    const verified = await verifyBackup(nas, summary(id), {
      clusterName: 'prod',
      level: 'content',
      sources: [fakeSource()],
      signal: never(),
    })
    expect(verified).toMatchObject({ ok: true })
  })

  it('is partial when one location fails, and the other has the whole backup', async () => {
    const [s3, nas] = [new MemoryLocation('s3'), new MemoryLocation('nas')]
    s3.fault = (operation, key) => {
      if (operation === 'put' && key.endsWith('.zst')) throw new Failure('storing in s3: gone', { code: 'unreachable' })
    }
    const { outcome, events } = await run([s3, nas])
    expect(outcome).toMatchObject({ result: 'partial', stored: ['nas'], failed: [{ location: 's3', stage: 'store' }] })
    expect(s3.keys).toEqual([])
    expect(nas.keys).toHaveLength(2)
    expect(events).toContainEqual(expect.objectContaining({ type: 'location.failed', location: 's3', stage: 'store' }))
  })

  it('is partial when a location cannot even be opened', async () => {
    const nas = new MemoryLocation('nas')
    const unusable = [{ name: 's3', failure: new Failure('opening s3: no', { code: 'config' }) }]
    const { outcome } = await run([nas], { unusable })
    expect(outcome).toMatchObject({ result: 'partial', stored: ['nas'], failed: [{ location: 's3', stage: 'open' }] })
  })

  it('fails for the reason of the location when none can be opened', async () => {
    const hint = 'Correct bucket_name.'
    const unusable = [{ name: 's3', failure: new Failure('opening s3: no such bucket', { code: 'not_found', hint }) }]
    const { outcome } = await run([], { unusable })
    expect(outcome).toMatchObject({
      result: 'failed',
      failure: { code: 'not_found', hint, message: 'no location could take the backup: opening s3: no such bucket' },
    })
  })

  it('never writes a manifest over bytes that read back differently, and removes them', async () => {
    const nas = new MemoryLocation('nas')
    nas.fault = (operation, key) => {
      const bytes = nas.objects.get(key)
      if (operation === 'get' && key.endsWith('.zst') && bytes) bytes[10] = (bytes[10] ?? 0) ^ 1
    }
    const { outcome } = await run([nas])
    expect(outcome).toMatchObject({ result: 'failed', failed: [{ stage: 'verify', failure: { code: 'damaged' } }] })
    expect(outcome.failure?.message).toContain('it is not what was sent')
    expect(nas.keys).toEqual([])
  })

  it('never calls a backup good whose manifest reads back differently', async () => {
    const nas = new MemoryLocation('nas')
    nas.fault = (operation, key) => {
      const bytes = nas.objects.get(key)
      if (operation === 'get' && key.endsWith('.manifest.json') && bytes) bytes[10] = (bytes[10] ?? 0) ^ 1
    }
    const { outcome } = await run([nas])
    expect(outcome).toMatchObject({ result: 'failed', failed: [{ stage: 'commit' }] })
    expect(nas.keys).toEqual([])
  })

  it('leaves nothing behind when the source fails in the middle, and blames the source', async () => {
    const [s3, nas] = [new MemoryLocation('s3'), new MemoryLocation('nas')]
    const source = fakeSource({ failAfterChunks: 2 })
    const { outcome } = await run([s3, nas], { sources: [source] })
    expect(outcome).toMatchObject({ result: 'failed', failed: [{ stage: 'source' }, { stage: 'source' }] })
    expect(outcome.failure?.message).toBe('reading: the source broke')
    expect([...s3.keys, ...nas.keys]).toEqual([])
  })

  it('does not read the source when no location can take the backup', async () => {
    const nas = new MemoryLocation('nas')
    nas.fault = () => {
      throw new Failure('nas is down', { code: 'unreachable', hint: 'Start it.' })
    }
    const source = fakeSource()
    const { outcome } = await run([nas], { sources: [source] })
    expect(outcome).toMatchObject({ result: 'failed', failed: [{ stage: 'prepare' }] })
    expect(outcome.failure).toMatchObject({ code: 'unreachable', hint: 'Start it.' })
    expect(source.reads).toBe(0)
  })

  it('is partial when a source that is not the first cannot be read, and says what is missing', async () => {
    const nas = new MemoryLocation('nas')
    const broken: Source = { ...fakeSource({ failAfterChunks: 2 }), name: 'kubernetes' }
    const { outcome } = await run([nas], { sources: [fakeSource(), broken] })
    expect(outcome).toMatchObject({
      result: 'partial',
      stored: ['nas'],
      warnings: expect.arrayContaining([
        'reading: the source broke',
        expect.stringContaining('Secrets of Palette are stored unencrypted'),
      ]),
    })
    expect(nas.keys.filter((key) => key.includes(outcome.backupId))).toEqual([
      `prod/nightly/${outcome.backupId}.partial.json`,
      `prod/nightly/${outcome.backupId}/mongodb.archive.zst`,
    ])
  })

  it('is partial when a source says that it could not read all, and keeps what each source found', async () => {
    const nas = new MemoryLocation('nas')
    const unread = [{ what: 'secrets in spectro-mgmt', reason: 'forbidden' }]
    const { outcome } = await run([nas], { sources: [fakeSource(), kubernetesSource(unread)] })
    expect(outcome.result).toBe('partial')
    const key = `prod/nightly/${outcome.backupId}.partial.json`
    expect(decodeManifest(nas.objects.get(key) ?? Buffer.alloc(0), key)).toMatchObject({
      result: 'partial',
      artifacts: [
        { source: 'mongodb', file: 'mongodb.archive.zst', mongodb: { server_version: '7.0.1' } },
        { source: 'kubernetes', file: 'kubernetes.tar.zst', kubernetes: { objects: { Secret: 3 }, unread } },
      ],
    })
    const whole = await run([nas], { sources: [fakeSource(), kubernetesSource([])] })
    expect(whole.outcome.result).toBe('success')
  })

  it('proves one copy as far as the policy wants, and writes no manifest over what cannot be proven', async () => {
    const [s3, nas] = [new MemoryLocation('s3'), new MemoryLocation('nas')]
    const inspect = async (body: AsyncIterable<Uint8Array>) => {
      for await (const _ of body);
      return { source: 'mongodb' as const, collections: [] }
    }
    const decoding = { ...policy, verifyAfterBackup: 'decode' } as const
    const good = await run([s3, nas], { sources: [{ ...fakeSource(), inspect }], policy: decoding, proving: {} })
    expect(good.outcome).toMatchObject({ result: 'success', warnings: [] })
    for (const location of [s3, nas]) {
      const proof = location.objects.get(`prod/nightly/${good.outcome.backupId}.verified.json`)
      expect(JSON.parse(String(proof))).toMatchObject({ level: 'decode', tool_version: '0.1.0' })
    }
    expect(good.events.filter(({ type }) => type === 'backup.verified')).toHaveLength(2)

    const bad = await run([s3, nas], { policy: decoding, proving: {} })
    expect(bad.outcome).toMatchObject({ result: 'failed', failed: [{ stage: 'verify' }, { stage: 'verify' }] })
    expect(nas.keys.filter((key) => key.includes(bad.outcome.backupId))).toEqual([])
    expect(bad.events.filter(({ type }) => type === 'backup.verified')).toEqual([])

    const encrypted = {
      ...decoding,
      encryption: { ageRecipients: [await identityToRecipient(await generateX25519Identity())] },
    }
    const told = await run([nas], { policy: encrypted, proving: {} })
    expect(told.outcome).toMatchObject({
      result: 'success',
      warnings: [expect.stringContaining('there is no identity')],
    })
  })

  it('stores nothing that is readable where the policy names recipients', async () => {
    const nas = new MemoryLocation('nas')
    const identity = await generateX25519Identity()
    const ageRecipients = [await identityToRecipient(identity)]
    const sources = [fakeSource(), kubernetesSource([])]
    const { outcome } = await run([nas], { sources, policy: { ...policy, encryption: { ageRecipients } } })
    expect(outcome).toMatchObject({ result: 'success', warnings: [] })
    const folder = `prod/nightly/${outcome.backupId}`
    expect(nas.keys).toEqual([
      `${folder}.manifest.json`,
      `${folder}/kubernetes.tar.zst.age`,
      `${folder}/mongodb.archive.zst.age`,
    ])
    const stored = nas.objects.get(`${folder}/kubernetes.tar.zst.age`) ?? Buffer.alloc(0)
    const packed = decrypt(streamOf(stored), new Secret(identity), 'x')
    expect((await collect(decompress(packed))).toString()).toBe('objects')
    expect(String(nas.objects.get(`${folder}.manifest.json`))).not.toContain(ageRecipients[0])
  })

  it('is cancelled by its signal and leaves nothing behind', async () => {
    const nas = new MemoryLocation('nas')
    const controller = new AbortController()
    const source = fakeSource({ onChunk: (index) => index === 1 && controller.abort() })
    const { outcome } = await run([nas], { sources: [source], signal: controller.signal })
    expect(outcome.result).toBe('cancelled')
    expect(nas.keys).toEqual([])
  })

  it('puts on record what it holds before it holds it, and the next run cleans up when it died', async () => {
    const nas = new MemoryLocation('nas')
    const died = new Promise<never>(() => undefined)
    let recorded: InFlightRecord | undefined
    const source = fakeSource({
      onChunk: () => {
        const key = nas.keys.find((one) => one.startsWith('prod/.runs/'))
        recorded = key ? JSON.parse(nas.objects.get(key)?.toString() ?? '') : undefined
        return died
      },
    })
    void run([nas], { sources: [source], runId: 'deadrun2' })
    while (!recorded) await new Promise((resolve) => setImmediate(resolve))
    expect(recorded).toMatchObject({ run_id: 'deadrun2', owner: OWNER })
    nas.objects.set(`prod/nightly/${recorded.backup_id}/mongodb.archive.zst`, Buffer.from('half'))

    const { outcome } = await run([nas], { isDead: (record) => record.run_id === 'deadrun2' })
    expect(outcome.result).toBe('success')
    const id = outcome.backupId
    expect(nas.keys).toEqual([`prod/nightly/${id}.manifest.json`, `prod/nightly/${id}/mongodb.archive.zst`])
    expect(nas.discarded.map(({ key }) => key)).toContain(`prod/nightly/${recorded.backup_id}/mongodb.archive.zst`)
  })

  it('applies retention only in locations that took the backup, and survives its failure', async () => {
    const [s3, nas] = [new MemoryLocation('s3'), new MemoryLocation('nas')]
    const old = await oldBackups(nas, s3)
    s3.fault = (operation, key) => {
      if (operation === 'put' && key.endsWith('.zst')) throw new Failure('no', { code: 'no_space' })
    }
    const { outcome } = await run([s3, nas])
    expect(outcome.result).toBe('partial')
    const manifests = (location: MemoryLocation) => location.keys.filter((key) => key.endsWith('.manifest.json'))
    expect(manifests(s3)).toHaveLength(old)
    expect(manifests(nas)).toHaveLength(3)
    nas.fault = (operation) => {
      if (operation === 'delete') throw new Failure('no right to delete', { code: 'permission' })
    }
    const again = await run([nas])
    expect(again.outcome).toMatchObject({ result: 'success', stored: ['nas'] })
    expect(again.outcome.warnings.join()).toContain('no right to delete')
  })
})

function kubernetesSource(unread: KubernetesFacts['unread']): Source {
  const facts: KubernetesFacts = {
    source: 'kubernetes',
    serverVersion: 'v1.30.1',
    from: '2026-11-24T02:00:00Z',
    to: '2026-11-24T02:00:01Z',
    namespaces: ['hubble-system'],
    objects: { Secret: 3 },
    unread,
  }
  return {
    ...fakeSource(),
    name: 'kubernetes',
    async *read() {
      const body = streamOf(Buffer.from('objects'))
      yield { name: 'kubernetes.tar', body, facts: () => facts, warnings: () => [] }
    },
  }
}

function summary(backupId: string) {
  return { backupId, policy: 'nightly', location: 'nas', startedAt: '', complete: true }
}
