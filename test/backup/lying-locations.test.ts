import { describe, expect, it } from 'vitest'
import { runBackup } from '../../agent/backup/run-backup.ts'
import { systemClock } from '../../agent/core/clock.ts'
import type { RunEvent } from '../../agent/core/events.ts'
import { testPolicy } from '../runs/test-config.ts'
import type { Lie } from '../support/s3/lies.ts'
import { LIES } from '../support/s3/lies.ts'
import { openPatientS3 } from '../support/s3/open.ts'
import { startS3 } from '../support/s3/server.ts'
import { fakeSource } from './fake-source.ts'

describe.each([
  ['in one request', 5],
  ['in parts', 45],
])('a backup that is stored %s', (_how, chunks) => {
  it.each(Object.entries<Lie>(LIES).filter(([name]) => chunks > 40 || !/part|upload/.test(name)))(
    'gets no manifest from a location that %s',
    async (_name, lie) => {
      await using s3 = await startS3({ lie })
      const { outcome, events } = await backUp(s3, chunks)
      expect(outcome).toMatchObject({ result: 'failed', stored: [] })
      expect(outcome.failed[0]?.stage).toMatch(/^(store|verify|commit)$/)
      expect(events.filter(({ type }) => type === 'location.stored')).toEqual([])
      expect([...s3.objects.keys()].filter((key) => /manifest|partial/.test(key))).toEqual([])
      expect(s3.uploads.size).toBe(0)
    },
  )

  it('gets one from a location that is honest', async () => {
    await using s3 = await startS3()
    const { outcome } = await backUp(s3, chunks)
    expect(outcome).toMatchObject({ result: 'success' })
    expect([...s3.objects.keys()].filter((key) => key.endsWith('.manifest.json'))).toHaveLength(1)
  })
})

it('aborts an upload at its end that could not be aborted when it failed', async () => {
  await using s3 = await startS3()
  s3.fail({ operation: 'UploadPart', effect: { kind: 'refuse', status: 403, code: 'AccessDenied' } })
  s3.fail({ operation: 'AbortMultipartUpload', effect: { kind: 'refuse', status: 503, code: 'SlowDown' } })
  const { outcome } = await backUp(s3, 45)
  expect(outcome).toMatchObject({ result: 'failed', failed: [{ stage: 'store', failure: { code: 'permission' } }] })
  expect(s3.count('AbortMultipartUpload')).toBe(2)
  expect(s3.uploads.size).toBe(0)
  expect(s3.objects.size).toBe(0)
})

async function backUp(s3: Awaited<ReturnType<typeof startS3>>, chunks: number) {
  const events: RunEvent[] = []
  const location = await openPatientS3(s3)
  const outcome = await runBackup({
    runId: 'abcdefgh',
    clusterName: 'prod',
    policy: testPolicy({ backupLocations: ['offsite'] }),
    sources: [fakeSource({ chunks })],
    locations: [location],
    owner: { host: 'here', boot: 'b', pid: 1, started: '1' },
    isDead: () => false,
    toolVersion: '1.2.3',
    clock: systemClock,
    emit: (event) => events.push(event),
    signal: new AbortController().signal,
  })
  await location.close()
  return { outcome, events }
}
