import type { Registry } from 'prom-client'
import type { ErrorCode } from '../core/errors.ts'
import type { Sample } from './declare.ts'
import { declareCounter, declareGauge, toSeconds } from './declare.ts'
import type { RunStatistics } from './run-statistics.ts'
import type { LocationUpkeep, PairUpkeep, UpkeepStatistics } from './upkeep-statistics.ts'

export interface UpkeepSources {
  readonly runs: RunStatistics
  readonly upkeep: UpkeepStatistics
}

export function declareUpkeepMetrics(registry: Registry, sources: UpkeepSources): void {
  declarePairs(registry, sources)
  declareLocations(registry, sources.upkeep)
  declareUsage(registry, sources.upkeep)
}

function declarePairs(registry: Registry, { runs, upkeep }: UpkeepSources): void {
  const perPair = (value: (pair: PairUpkeep) => number) => () =>
    [...runs.pairs()].map(([policy, location]): Sample => {
      return [{ policy, location }, value(upkeep.pair(policy, location))]
    })

  declareCounter(registry, {
    name: 'deletions_total',
    help: 'Backups that retention deleted in the location since the agent started.',
    labels: ['policy', 'location'],
    read: perPair(({ deletions }) => deletions),
  })
  declareCounter(registry, {
    name: 'deletion_failures_total',
    help: 'Backups that retention failed to delete in the location since the agent started; each is tried again by the next run.',
    labels: ['policy', 'location'],
    read: perPair(({ deletionFailures }) => deletionFailures),
  })
  declareGauge(registry, {
    name: 'retention_refused',
    help: '1: the last retention would have deleted so many backups at once that it deleted none; see prune --dry-run. 0: it went well, or none was due.',
    labels: ['policy', 'location'],
    read: perPair(({ retentionRefused }) => (retentionRefused ? 1 : 0)),
  })
  declareCounter(registry, {
    name: 'verifications_total',
    help: 'Backups that runs of this agent verified in the location since it started, by what came of it. failed: the backup is not restorable.',
    labels: ['policy', 'location', 'result'],
    read: () =>
      [...runs.pairs()].flatMap(([policy, location]) =>
        (['success', 'failed'] as const).map((result): Sample => {
          return [{ policy, location, result }, upkeep.pair(policy, location).verifications[result]]
        }),
      ),
  })
}

function declareLocations(registry: Registry, upkeep: UpkeepStatistics): void {
  const perLocation = (value: (location: LocationUpkeep) => number) => () =>
    [...upkeep.locations()].map(([location, facts]): Sample => [{ location }, value(facts)])

  declareCounter(registry, {
    name: 'catalog_reads_total',
    help: 'Catalogs that were read from the location since the agent started, one for each policy that writes to it, by result.',
    labels: ['location', 'result'],
    read: () =>
      [...upkeep.locations()].flatMap(([location, { catalogReads }]) =>
        (['success', 'failed'] as const).map((result): Sample => [{ location, result }, catalogReads[result]]),
      ),
  })
  declareGauge(registry, {
    name: 'last_sweep_timestamp_seconds',
    help: 'When what dead runs left in the location was last looked for, in seconds since 1970. 0: not since the agent started.',
    labels: ['location'],
    read: perLocation(({ lastSweep }) => toSeconds(lastSweep)),
  })
  declareCounter(registry, {
    name: 'swept_objects_total',
    help: 'Objects and unfinished uploads of dead runs that were removed from the location since the agent started.',
    labels: ['location'],
    read: perLocation(({ sweptObjects }) => sweptObjects),
  })
  declareCounter(registry, {
    name: 'sweep_failures_total',
    help: 'Leftovers of dead runs that could not be removed from the location when they were found, since the agent started.',
    labels: ['location'],
    read: perLocation(({ sweepFailures }) => sweepFailures),
  })
}

/** Why an operation of a location may fail: nothing of the configuration or of a source. */
export const LOCATION_ERRORS = [
  'auth',
  'permission',
  'unreachable',
  'unavailable',
  'no_space',
  'damaged',
  'unsupported',
  'internal',
] as const satisfies readonly ErrorCode[]
const OPERATIONS = ['put', 'get', 'list', 'delete', 'stat', 'discard'] as const

function declareUsage(registry: Registry, upkeep: UpkeepStatistics): void {
  const each = (samples: (location: string, facts: Readonly<LocationUpkeep>) => Sample[]) => () =>
    [...upkeep.locations()].flatMap(([location, facts]) => samples(location, facts))

  declareCounter(registry, {
    name: 'location_bytes_total',
    help: 'Bytes that runs of this agent sent to the location and received from it since it started.',
    labels: ['location', 'direction'],
    read: each((location, { sentBytes, receivedBytes }) => [
      [{ location, direction: 'sent' }, sentBytes],
      [{ location, direction: 'received' }, receivedBytes],
    ]),
  })
  declareCounter(registry, {
    name: 'location_operations_total',
    help: 'Operations that runs of this agent asked of the location since it started, each try counted.',
    labels: ['location', 'operation'],
    read: each((location, { operations }) =>
      OPERATIONS.map((operation): Sample => [{ location, operation }, operations.get(operation) ?? 0]),
    ),
  })
  declareCounter(registry, {
    name: 'location_errors_total',
    help: 'Of these, how many failed, by why; those that succeeded when they were repeated are counted too.',
    labels: ['location', 'code'],
    read: each((location, { errors }) =>
      LOCATION_ERRORS.map((code): Sample => [{ location, code }, errors.get(code) ?? 0]),
    ),
  })
}
