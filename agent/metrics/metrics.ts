import { setImmediate as turn } from 'node:timers/promises'
import { Registry } from 'prom-client'
import type { CertificateExpiry } from '../core/certificate.ts'
import type { Clock } from '../core/clock.ts'
import type { RunEvent } from '../core/events.ts'
import { declareBackupMetrics } from './backup-metrics.ts'
import { CatalogState } from './catalog-state.ts'
import { declareConfigMetrics } from './config-metrics.ts'
import { addProcessMetrics } from './process-metrics.ts'
import type { LocationStatistics, PolicyLocations } from './run-statistics.ts'
import { RunStatistics } from './run-statistics.ts'
import { declareScheduleMetrics } from './schedule-metrics.ts'
import { declareUpkeepMetrics } from './upkeep-metrics.ts'
import { UpkeepStatistics } from './upkeep-statistics.ts'

export interface MetricsOptions {
  readonly clock: Clock
  readonly version: string
  /** Asked at each scrape. */
  readonly schedule: ScheduleFacts
}

export interface ScheduleFacts {
  nextRun(policy: string): Date | undefined
  /** The longest time in milliseconds between two due times. */
  expectedIntervalMs(policy: string): number
  /** When a failed run is tried again. */
  retryAt(policy: string): Date | undefined
  clockJumps(): number
  lastTick(): Date | undefined
}

export interface ConfigFacts {
  readonly digest: string
  readonly policies: readonly PolicyLocations[]
  readonly locations: readonly { readonly name: string }[]
  /** Those that stand in the file. */
  readonly certificates?: readonly CertificateExpiry[]
}

export interface Metrics {
  readonly catalogs: CatalogState
  location(name: string): Readonly<LocationStatistics> | undefined
  onEvent(event: RunEvent): void
  /** So many due times of the policy passed without a run of their own. */
  onSkipped(policy: string, count: number): void
  onApplied(config: ConfigFacts): void
  /** The file, read again, is what is in force: an edit that was refused has been taken back. */
  onUnchanged(): void
  onRefused(): void
  /** The text that Prometheus scrapes, and its content type. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** Every metric, in a registry of its own. Series exist for exactly what is configured, from the start. */
export function createMetrics({ clock, version, schedule }: MetricsOptions): Metrics {
  const registry = new Registry()
  const now = (): Date => clock.now()
  const catalogs = new CatalogState(now)
  const runs = new RunStatistics(now)
  const upkeep = new UpkeepStatistics(now)
  declareBackupMetrics(registry, { runs, catalogs, now })
  declareUpkeepMetrics(registry, { runs, upkeep })
  declareScheduleMetrics(registry, { runs, schedule })
  const reloads = declareConfigMetrics(registry, { version, now })
  addProcessMetrics(registry)
  return {
    catalogs,
    location: (name) => runs.location(name),
    onEvent(event) {
      catalogs.onEvent(event)
      runs.onEvent(event)
      upkeep.onEvent(event)
      reloads.onEvent(event)
    },
    onSkipped: (policy, count) => runs.onSkipped(policy, count),
    onApplied(config) {
      const locations = config.locations.map(({ name }) => name)
      runs.configure(config.policies, locations)
      const pairs = [...runs.pairs()].map(([policy, location]) => ({ policy, location }))
      catalogs.keepOnly(pairs)
      upkeep.configure(pairs, locations)
      reloads.onApplied(config)
    },
    onUnchanged: () => reloads.onUnchanged(),
    onRefused: () => reloads.onRefused(),
    render: sharing(async () => ({ contentType: registry.contentType, text: await registry.metrics() })),
  }
}

/** Whoever asks before it is begun gets the same: of a hundred scrapes at once each still tells of no earlier moment. */
function sharing<T>(render: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | undefined
  return () => {
    next ??= turn().then(() => {
      next = undefined
      return render()
    })
    return next
  }
}
