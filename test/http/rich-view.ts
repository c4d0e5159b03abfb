import type {
  AgentView,
  BackupList,
  LocationReport,
  ReloadReport,
  RunList,
  Status,
} from '../../agent/http/agent-view.ts'
import type { RunRecord } from '../../agent/runs/run-history.ts'
import type { ActiveRun } from '../../agent/runs/run-task.ts'

const AT = '2026-11-24T00:00:00.000Z'
const FAILURE = { code: 'unreachable', message: 'no answer', hint: 'Look at the network.' } as const

export const ACTIVE: ActiveRun = {
  runId: 'activeab',
  kind: 'backup',
  policy: 'nightly',
  state: 'running',
  since: AT,
  stage: 'read',
  bytes: 10,
  totalBytes: 100,
  documents: 3,
  collection: 'hubbledb.clusters',
  bytesPerSecond: 5,
  remainingSeconds: 18,
}

export const ENDED: RunRecord = {
  runId: 'endedrun',
  kind: 'backup',
  policy: 'nightly',
  startedAt: AT,
  finishedAt: AT,
  result: 'partial',
  sourceBytes: 100,
  storedBytes: 30,
  peakMemoryBytes: 1000,
  locations: [
    { location: 'nas', backupId: '20261124T000000Z-abcdef' },
    { location: 'offsite', stage: 'store', failure: FAILURE },
  ],
  warnings: ['something is missing'],
  failure: FAILURE,
}

const RUNS: RunList = {
  active: [ACTIVE],
  recent: [ENDED, { ...ENDED, kind: 'validate', location: 'nas', result: 'cancelled' }],
}

const RELOAD: ReloadReport = {
  at: AT,
  outcome: 'applied',
  diagnostics: [{ severity: 'warning', summary: 'Stored in clear', detail: 'Say encryption.' }],
}

const BACKUPS: BackupList = {
  backups: [
    { backupId: 'b', policy: 'nightly', location: 'nas', startedAt: AT, complete: true, pinned: true, verified: false },
  ],
  catalogs: [{ policy: 'nightly', location: 'nas', readAt: null, up: false }],
}

/** An agent that has everything to tell that there is. */
export function richView(status: Partial<Status> = {}): AgentView {
  const full: Status = {
    version: '1',
    startedAt: AT,
    configuration: { file: '/etc/x.yaml', digest: 'aa', appliedAt: AT, lastReload: RELOAD },
    installation: { at: AT, facts: [{ name: 'edition', value: 'palette', from: 'the cluster' }], problems: [] },
    unfinishedRestores: [
      {
        target: 'mongo-0:27017',
        backupId: '20261124T000000Z-abcdef',
        stage: 'restoring',
        startedAt: AT,
        location: 'nas',
      },
    ],
    policies: [
      {
        name: 'nightly',
        nextRun: AT,
        retryAt: null,
        locations: [{ name: 'nas', lastSuccess: AT, lastVerified: null, backups: 3 }],
      },
    ],
    locations: [
      { name: 'nas', up: true, lastError: null },
      { name: 'offsite', up: false, lastError: { ...FAILURE, at: AT } },
    ],
    runs: RUNS,
    ...status,
  }
  const report = (location: string): LocationReport => {
    const ok = location === 'nas'
    const step = { name: 'write', ok, durationMs: 3.5, detail: 'well', ...(ok ? {} : { failure: FAILURE }) }
    return { location, ok, result: ok ? 'success' : 'failed', steps: [step] }
  }
  const log = [{ at: AT, level: 'info', message: 'run started', fields: { run: 'x' } } as const]
  return {
    isAlive: () => true,
    whyNotReady: () => undefined,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    status: () => full,
    runs: () => RUNS,
    run: (runId) => {
      const facts = [ACTIVE, ENDED].find((one) => one.runId === runId)
      return facts && { ...facts, log, logDropped: 0 }
    },
    cancelRun: (runId) => (runId === ACTIVE.runId ? 'cancelling' : runId === ENDED.runId ? 'ended' : undefined),
    backups: ({ location }) => (location === 'other' ? { unknown: 'backup_storage_location' } : BACKUPS),
    startBackup: (policy) =>
      policy === 'nightly' ? { runId: 'activeab', state: 'running', started: true } : undefined,
    validateLocation: async (location) => (['nas', 'offsite'].includes(location) ? report(location) : undefined),
    validateText: async () => ({
      ...{ ok: true, diagnostics: [], locations: [report('nas')] },
      installation: { ok: true, result: 'success', steps: report('nas').steps },
    }),
    plan: async () => ({
      ok: true,
      diagnostics: [],
      plan: {
        from: 'aa',
        to: 'bb',
        changes: [
          {
            address: 'backup_policy.nightly',
            action: 'change',
            attributes: [{ name: 'interval', before: '1', after: '2' }],
          },
        ],
      },
      text: '1 to change',
    }),
    reload: async () => ({ ...RELOAD, changes: ['+ backup_policy.nightly'] }),
  }
}
