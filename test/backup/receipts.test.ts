import { expect, it } from 'vitest'
import { runBackup } from '../../agent/backup/run-backup.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import type { Source } from '../../agent/sources/source.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { fakeSource } from './fake-source.ts'

it('what a run could not put back stays on record, and the next run puts it back', async () => {
  const nas = new MemoryLocation('nas')
  const released: string[] = []
  await run('r1', nas, { ...fakeSource(), read: remembering('window of mongo-0') })
  expect(records(nas)).toEqual(['prod/.runs/r1.json'])

  const unreachable = () => Promise.reject(new Failure('mongo-0 does not answer', { code: 'unreachable' }))
  const second = await run('r2', nas, { ...fakeSource(), release: unreachable })
  expect(second.warnings).toEqual([expect.stringContaining('mongo-0 does not answer')])
  expect(records(nas)).toEqual(['prod/.runs/r1.json'])

  const release = async (receipt: string): Promise<void> => void released.push(receipt)
  await run('r3', nas, { ...fakeSource(), release })
  expect([released, records(nas)]).toEqual([['window of mongo-0'], []])
})

it('what was put back leaves no record', async () => {
  const nas = new MemoryLocation('nas')
  const { read } = fakeSource()
  const source: Source = {
    ...fakeSource(),
    async *read(options) {
      await options.receipts?.add('window')
      expect(nas.objects.get('prod/.runs/r1.json')?.toString()).toContain('window')
      yield* read(options)
      await options.receipts?.remove('window')
    },
  }
  await run('r1', nas, source)
  expect(records(nas)).toEqual([])
})

function remembering(receipt: string): Source['read'] {
  const { read } = fakeSource()
  return async function* (options) {
    await options.receipts?.add(receipt)
    yield* read(options)
  }
}

function records({ keys }: MemoryLocation): string[] {
  return keys.filter((key) => key.includes('/.runs/'))
}

function run(runId: string, location: MemoryLocation, source: Source) {
  return runBackup({
    runId,
    clusterName: 'prod',
    policy: {
      name: 'nightly',
      backupLocations: [location.name],
      schedule: { kind: 'cron', expression: '0 0 * * *' },
      retentionDays: 14,
      keepMinimum: 3,
      catchUp: true,
      timeoutMs: 60_000,
      memoryLimitBytes: 512 * 1024 * 1024,
      includeDatabases: ['hubbledb'],
      includeClusterResources: 'never',
      compressionLevel: 1,
      allowCleartext: false,
      verifyAfterBackup: 'content',
    },
    sources: [source],
    locations: [location],
    owner: { host: 'here', boot: 'b', pid: 1, started: '1' },
    isDead: () => true,
    toolVersion: '0.0.0-test',
    clock: systemClock,
    emit: () => undefined,
    signal: new AbortController().signal,
  })
}
