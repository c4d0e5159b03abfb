import type { Config } from '../config/config.ts'
import { planChanges } from '../config/plan.ts'
import { SECOND_MS } from '../core/units.ts'
import type {
  AgentView,
  BackupFilter,
  BackupList,
  ReloadReport,
  RunList,
  StartedBackup,
  Status,
  UnknownName,
} from '../http/agent-view.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { RunPool } from '../runs/run-pool.ts'
import type { Scheduler } from '../schedule/scheduler.ts'
import {
  installationDiagnostics,
  locationDiagnostics,
  validateInstallation,
  validateLocation,
  validateLocations,
} from './agent-locations.ts'
import { explainPlan } from './plan-notes.ts'
import type { LoadedConfig } from './reloading.ts'

/** Three sleeps of the scheduler. */
const STALE_AFTER_MS = 90 * SECOND_MS

export interface AgentParts {
  readonly version: string
  readonly configFile: string
  readonly startedAt: Date
  readonly pool: RunPool
  readonly scheduler: Scheduler
  readonly metrics: Metrics
  readonly config: () => Config
  readonly now: () => Date
  readonly installation: () => Status['installation']
  readonly unfinishedRestores: () => Status['unfinishedRestores']
  readonly appliedAt: () => Date
  readonly lastReload: () => ReloadReport
  readonly isStopping: () => boolean
  readonly loadText: (text: string) => Promise<LoadedConfig>
  readonly reload: () => Promise<ReloadReport>
  readonly startBackup: (policy: string) => StartedBackup
}

/** The agent as HTTP sees it. */
export function createView(parts: AgentParts): AgentView {
  const { pool, scheduler, metrics, config } = parts
  return {
    isAlive: () => scheduler.msSinceTick < STALE_AFTER_MS,
    whyNotReady: () => (parts.isStopping() ? 'the agent is stopping' : undefined),
    metrics: () => metrics.render(),
    status: () => statusOf(parts),
    runs: () => runsOf(pool),
    run: (runId) => pool.find(runId),
    cancelRun(runId) {
      if (pool.cancel(runId)) return 'cancelling'
      return pool.find(runId) ? 'ended' : undefined
    },
    backups: (filter) => backupsOf(parts, filter),
    startBackup: (policy) => (hasName(config().policies, policy) ? parts.startBackup(policy) : undefined),
    async validateLocation(location, permission, signal) {
      if (!hasName(config().locations, location)) return undefined
      return await validateLocation(pool, config(), location, { permission, signal })
    },
    async validateText(text, permission, signal) {
      const { config: sent, diagnostics } = await parts.loadText(text)
      if (!sent) return { ok: false, diagnostics, locations: [] }
      const names = sent.locations.map(({ name }) => name)
      const [locations, installation] = await Promise.all([
        validateLocations(pool, sent, names, { permission, signal }),
        validateInstallation(pool, sent, signal),
      ])
      const ok = installation.ok && locations.every((report) => report.ok)
      const found = [...locationDiagnostics(locations), ...installationDiagnostics(installation)]
      return { ok, diagnostics: [...diagnostics, ...found], locations, installation }
    },
    async plan(text) {
      const { config: sent, diagnostics } = await parts.loadText(text)
      if (!sent) return { ok: false, diagnostics }
      const inForce = config()
      const plan = planChanges(inForce, sent)
      const explained = explainPlan(plan, inForce, sent, {
        now: parts.now(),
        stored: (policy, location) => storedBackups(metrics, policy, location),
        activeRuns: pool.active().length,
      })
      return { ok: true, diagnostics, plan, text: explained }
    },
    reload: parts.reload,
  }
}

/** Undefined while the catalog has not been read. */
function storedBackups({ catalogs }: Metrics, policy: string, location: string): number | undefined {
  const { readAt, backups } = catalogs.of(policy, location)
  return readAt ? backups : undefined
}

function statusOf(parts: AgentParts): Status {
  const { scheduler, metrics, pool, version, configFile, startedAt } = parts
  const { digest, policies, locations } = parts.config()
  return {
    version,
    startedAt: startedAt.toISOString(),
    configuration: {
      file: configFile,
      digest,
      appliedAt: parts.appliedAt().toISOString(),
      lastReload: parts.lastReload(),
    },
    installation: parts.installation(),
    unfinishedRestores: parts.unfinishedRestores(),
    policies: policies.map(({ name, backupLocations }) => ({
      name,
      nextRun: isoOrNull(scheduler.nextRun(name)),
      retryAt: isoOrNull(scheduler.retryAt(name)),
      locations: backupLocations.map((location) => {
        const { newestComplete, newestVerified, backups } = metrics.catalogs.of(name, location)
        const facts = { lastSuccess: isoOrNull(newestComplete), lastVerified: isoOrNull(newestVerified) }
        return { name: location, ...facts, backups }
      }),
    })),
    locations: locations.map(({ name }) => {
      const { up = false, lastError } = metrics.location(name) ?? {}
      return { name, up, lastError: lastError ? { ...lastError, at: lastError.at.toISOString() } : null }
    }),
    runs: runsOf(pool),
  }
}

function backupsOf({ metrics, config }: AgentParts, filter: BackupFilter): BackupList | UnknownName {
  const { policies, locations } = config()
  if (filter.policy !== undefined && !hasName(policies, filter.policy)) return { unknown: 'backup_policy' }
  if (filter.location !== undefined && !hasName(locations, filter.location)) {
    return { unknown: 'backup_storage_location' }
  }
  const pairs = policies
    .filter(({ name }) => filter.policy === undefined || name === filter.policy)
    .flatMap(({ name: policy, backupLocations }) => backupLocations.map((location) => ({ policy, location })))
    .filter(({ location }) => filter.location === undefined || location === filter.location)
  return {
    backups: pairs
      .flatMap(({ policy, location }) => metrics.catalogs.backups(policy, location))
      .sort((a, b) => (a.backupId < b.backupId ? 1 : -1)),
    catalogs: pairs.map(({ policy, location }) => ({
      policy,
      location,
      readAt: isoOrNull(metrics.catalogs.of(policy, location).readAt),
      up: metrics.location(location)?.up ?? false,
    })),
  }
}

function runsOf(pool: RunPool): RunList {
  return { active: pool.active(), recent: pool.history() }
}

function hasName(things: readonly { readonly name: string }[], name: string): boolean {
  return things.some((thing) => thing.name === name)
}

function isoOrNull(time: Date | undefined): string | null {
  return time ? time.toISOString() : null
}
