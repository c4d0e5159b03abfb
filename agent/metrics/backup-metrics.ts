import type { Registry } from 'prom-client'
import { ERROR_CODES } from '../core/errors.ts'
import type { CatalogState, CatalogSummary } from './catalog-state.ts'
import type { Sample } from './declare.ts'
import { declareCounter, declareGauge, toSeconds } from './declare.ts'
import type { PairStatistics, PolicyStatistics, RunStatistics } from './run-statistics.ts'
import { COUNTED_RESULTS, STAGES } from './run-statistics.ts'

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
    'Size in the location of the newest complete backup, as its manifest says. 0: none is known.',
    ({ facts }) => facts?.storedBytes ?? 0,
  )
  gauge(
    'last_success_consistent',
    '1: the newest complete backup holds all data as it was at one instant. 0: it does not, or none is known.',
    ({ facts }) => (facts?.consistent ? 1 : 0),
  )
  gauge(
    'last_backup_complete',
    '1: the newest backup that the location holds is complete. 0: a source could not give everything for it, or none is known.',
    ({ newest, newestComplete }) => (newest && newest.getTime() === newestComplete?.getTime() ? 1 : 0),
  )
  gauge('retained_backups', 'Backups of the policy that the location holds.', ({ backups }) => backups)
  gauge(
    'future_backups',
    'Of these, how many bear a time that has not come: a clock was wrong when they were made, or is wrong now. They count as the newest nowhere.',
    ({ ahead }) => ahead,
  )
  gauge('pinned_backups', 'Of these, how many are pinned: never deleted by retention.', ({ pinned }) => pinned)
  gauge('verified_backups', 'Of these, how many a verification has proven restorable.', ({ verified }) => verified)
  gauge(
    'damaged_backups',
    'Of these, how many were found not restorable, by a verification or, of the newest ones, by a look at the manifest and the sizes of the artifacts. They count as good ones nowhere.',
    ({ damaged }) => damaged,
  )
  gauge(
    'last_verified_timestamp_seconds',
    'Start of the newest backup in the location that a verification has proven restorable, in seconds since 1970. 0: none is known.',
    ({ newestVerified }) => toSeconds(newestVerified),
  )
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
    'run_started_timestamp_seconds',
    'When the last backup run of the policy started, in seconds since 1970. 0: none since the agent started.',
    ({ lastStarted }) => toSeconds(lastStarted),
  )
  gauge(
    'run_progress_bytes',
    'Bytes that the backup run that is under way has read from its sources. 0: none is under way.',
    ({ progress }) => progress.bytes,
  )
  gauge(
    'run_progress_documents',
    'Documents that the backup run that is under way has read. 0: none is under way.',
    ({ progress }) => progress.documents,
  )
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
  gauge(
    'run_bytes_per_second',
    'Bytes read from the sources per second by the last backup run of the policy which stored something, over its whole duration.',
    ({ lastBytesPerSecond }) => lastBytesPerSecond,
  )
  gauge(
    'run_memory_bytes',
    'Largest resident memory of the process of the last backup run of the policy, also of one that the kernel ended. 0: none ended since the agent started.',
    ({ lastMemoryBytes }) => lastMemoryBytes,
  )
  gauge(
    'consecutive_failures',
    'Backup runs of the policy that failed since the last one that stored something.',
    ({ consecutiveFailures }) => consecutiveFailures,
  )
  declareCounter(registry, {
    name: 'runs_total',
    help: 'Backup runs of the policy since the agent started, by how they ended. skipped: due while the last one was under way, or while the machine slept.',
    labels: ['policy', 'result'],
    read: () =>
      [...runs.policies()].flatMap(([policy, { runs: counts }]) =>
        COUNTED_RESULTS.map((result): Sample => [{ policy, result }, counts[result]]),
      ),
  })
  declareCounter(registry, {
    name: 'failures_total',
    help: 'Failures of backup runs since the agent started, by the stage they happened in and the error code.',
    labels: ['policy', 'stage', 'code'],
    read: () =>
      [...runs.policies()].flatMap(([policy, { failures }]) =>
        STAGES.flatMap((stage) =>
          ERROR_CODES.map((code): Sample => [{ policy, stage, code }, failures.get(`${stage} ${code}`) ?? 0]),
        ),
      ),
  })
}
