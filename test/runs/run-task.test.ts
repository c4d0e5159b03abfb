import { expect, it } from 'vitest'
import { RunTask } from '../../agent/runs/run-task.ts'
import { testConfig } from './test-config.ts'

it('tells of each location how it ended there, not how an earlier reading of the same run did', () => {
  const now = new Date('2026-11-24T02:00:00Z')
  const task = new RunTask('abcdefg2', { kind: 'backup', policy: 'nightly', config: testConfig() }, now, undefined)
  const place = { runId: 'abcdefg2', policy: 'nightly' }
  const failure = { code: 'unreachable', message: 'no answer' } as const
  const stored = { backupId: 'b2', startedAt: now.toISOString(), complete: true, storedBytes: 1 }
  task.hear({ type: 'location.failed', ...place, location: 's3', stage: 'store', failure }, now, 0)
  task.hear({ type: 'location.stored', ...place, location: 's3', ...stored }, now, 0)
  task.hear({ type: 'location.failed', ...place, location: 'nas', stage: 'store', failure }, now, 0)
  expect(task.record({ result: 'partial', finished: true }, now).locations).toEqual([
    { location: 's3', backupId: 'b2' },
    { location: 'nas', stage: 'store', failure },
  ])
})
