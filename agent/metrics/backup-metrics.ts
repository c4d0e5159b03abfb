import type { Registry } from 'prom-client'
import type { CatalogState, CatalogSummary } from './catalog-state.ts'
import type { Sample } from './declare.ts'
import { declareCounter, declareGauge, toSeconds } from './declare.ts'
import type { PairStatistics, PolicyStatistics, RunStatistics } from './run-statistics.ts'
import { COUNTED_RESULTS } from './run-statistics.ts'

export interface BackupSources {
  readonly runs: RunStatistics
  readonly catalogs: CatalogState
  readonly now: () => Date
}

export function declareBackupMetrics(registry: Registry, sources: BackupSources): void {
  declarePairs(registry, sources)
  declarePolicies(registry, sources.runs)
  declareGauge(registry, {
    name: 'location_up',
    help: '1: the last catalog or backup went well there. 0: it failed, or the location was not used yet.',
    labels: ['location'],
    read: () => [...sources.runs.locations()].map(([location, { up }]) => [{ location }, up ? 1 : 0]),
  })
}

function declarePairs(registry: Registry, { runs, catalogs, now }: BackupSources): void {
  const gauge = (name: string, help: string, value: (catalog: CatalogSummary, pair: PairStatistics) => number): void =>
    declareGauge(registry, {
      name,
      help,
      labels: ['policy', 'location'],
      read: () =>
        [...runs.pairs()].map(([policy, location, pair]): Sample => {
          return [{ policy, location }, value(catalogs.of(policy, location), pair)]
        }),
    })

  gauge(
    'last_success_timestamp_seconds',
    'Start of the newest complete backup that the location holds, in seconds since 1970, as read from its catalog. 0: none is known.',
    ({ newestComplete }) => toSeconds(newestComplete),
  )
  gauge(
    'last_success_age_seconds',
    'Seconds since the start of the newest complete backup that the location holds. While none is known: seconds since this ' +
      'agent process first had the policy with the location, which the true age can only exceed; ' +
      'last_success_timestamp_seconds is then 0.',
    ({ newestComplete }, { since }) => Math.max(0, toSeconds(now()) - toSeconds(newestComplete ?? since)),
  )
  gauge(
    'last_failure_timestamp_seconds',
    'When a run last failed to store a backup of the policy in the location, in seconds since 1970. 0: not since the agent started.',
    (_, { lastFailure }) => toSeconds(lastFailure),
  )
  gauge(
    'stored_bytes',
    'Size in the location of the last backup that this agent process stored there. 0: none yet.',
    (_, { lastStoredBytes }) => lastStoredBytes,
  )
  gauge('retained_backups', 'Backups of the policy that the location holds.', ({ backups }) => backups)
  gauge(
    'oldest_backup_timestamp_seconds',
    'Start of the oldest backup that the location holds, in seconds since 1970. 0: none is known.',
    ({ oldest }) => toSeconds(oldest),
  )
  gauge(
    'catalog_read_timestamp_seconds',
    'When the catalog of the policy in the location was last read, in seconds since 1970. 0: not since the agent started.',
    ({ readAt }) => toSeconds(readAt),
  )
}

function declarePolicies(registry: Registry, runs: RunStatistics): void {
  const gauge = (name: string, help: string, value: (statistics: PolicyStatistics) => number): void =>
    declareGauge(registry, {
      name,
      help,
      labels: ['policy'],
      read: () => [...runs.policies()].map(([policy, statistics]): Sample => [{ policy }, value(statistics)]),
    })

  gauge('running', '1: a backup of the policy is under way.', ({ running }) => (running ? 1 : 0))
  gauge(
    'run_duration_seconds',
    'How long the last backup run of the policy took. 0: none ended since the agent started.',
    ({ lastDurationMs }) => lastDurationMs / 1000,
  )
  gauge(
    'run_source_bytes',
    'Bytes that the last backup run of the policy which stored something read from its sources.',
    ({ lastSourceBytes }) => lastSourceBytes,
  )
  declareCounter(registry, {
    name: 'runs_total',
    help: 'Backup runs of the policy since the agent started, by how they ended. skipped: due while the last one was under way.',
    labels: ['policy', 'result'],
    read: () =>
      [...runs.policies()].flatMap(([policy, { runs: counts }]) =>
        COUNTED_RESULTS.map((result): Sample => [{ policy, result }, counts[result]]),
      ),
  })
  declareCounter(registry, {
    name: 'failures_total',
    help: 'Failures of backup runs since the agent started, by stage and error code. A series appears with its first failure: alert on runs_total.',
    labels: ['policy', 'stage', 'code'],
    read: () =>
      [...runs.policies()].flatMap(([policy, { failures }]) =>
        [...failures.values()].map(({ stage, code, count }): Sample => [{ policy, stage, code }, count]),
      ),
  })
}
