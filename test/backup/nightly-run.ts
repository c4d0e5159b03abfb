import type { BackupOptions } from '../../agent/backup/backup-options.ts'
import { runBackup } from '../../agent/backup/run-backup.ts'
import { systemClock } from '../../agent/core/clock.ts'
import type { RunEvent } from '../../agent/core/events.ts'
import type { MemoryLocation } from '../support/memory-location.ts'
import { fakeSource } from './fake-source.ts'

export const OWNER = { host: 'here', boot: 'b', pid: 1, started: '1' }

export const policy = {
  name: 'nightly',
  backupLocations: ['s3', 'nas'],
  schedule: { kind: 'cron', expression: '0 2 * * *' },
  retentionDays: 14,
  keepMinimum: 3,
  catchUp: true,
  timeoutMs: 3_600_000,
  memoryLimitBytes: 2 ** 29,
  includeDatabases: ['hubbledb'],
  includeClusterResources: 'never',
  compressionLevel: 1,
  allowCleartext: false,
  verifyAfterBackup: 'content',
} as const

/** A run of the policy, and the events it told. */
export async function run(locations: MemoryLocation[], overrides: Partial<BackupOptions> = {}) {
  const events: RunEvent[] = []
  const outcome = await runBackup({
    runId: 'run22222',
    clusterName: 'prod',
    policy,
    sources: [fakeSource()],
    locations,
    owner: OWNER,
    isDead: () => false,
    toolVersion: '0.1.0',
    clock: systemClock,
    emit: (event) => events.push(event),
    signal: never(),
    ...overrides,
  })
  return { outcome, events }
}

/** Five whole backups of long ago in every location. */
export async function oldBackups(...locations: MemoryLocation[]): Promise<number> {
  for (let day = 1; day <= 5; day += 1) {
    const at = new Date(`2020-01-0${day}T02:00:00Z`)
    const ruleThatKeeps = { ...policy, keepMinimum: 10 }
    await run(locations, { clock: { ...systemClock, now: () => at }, policy: ruleThatKeeps })
  }
  return 5
}

export function never(): AbortSignal {
  return new AbortController().signal
}
