import type { Plan } from '../config/plan.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import type { FailureData } from '../core/errors.ts'
import type {
  BackupSummary,
  InstallationFact,
  RunResult,
  UnfinishedRestoreSummary,
  ValidateStep,
} from '../core/events.ts'
import type { Permission } from '../runs/request.ts'
import type { RunRecord } from '../runs/run-history.ts'
import type { RunDetail } from '../runs/run-pool.ts'
import type { ActiveRun } from '../runs/run-task.ts'

/** What the HTTP interface may see of the agent and ask of it. Everything in it is plain data without secrets. */
export interface AgentView {
  /** The scheduler looks at the clock as it should. */
  isAlive(): boolean
  /** Why the agent is not ready; undefined when it is. */
  whyNotReady(): string | undefined
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>
  status(): Status
  runs(): RunList
  /** Undefined when no such run is known, or not any more. */
  run(runId: string): RunDetail | undefined
  /** Undefined when no such run is known; `ended` when there is nothing to cancel any more. */
  cancelRun(runId: string): 'cancelling' | 'ended' | undefined
  backups(filter: BackupFilter): BackupList | UnknownName
  /** The backup that was started, or that is under way already; undefined when there is no such policy. */
  startBackup(policy: string): StartedBackup | undefined
  /** Undefined when there is no such location. */
  validateLocation(location: string, permission: Permission, signal: AbortSignal): Promise<LocationReport | undefined>
  /** Checks the text of a configuration file and, where it is valid, uses its locations and its installation for real. */
  validateText(text: string, permission: Permission, signal: AbortSignal): Promise<ConfigurationReport>
  /** What applying the text of a configuration file would change. */
  plan(text: string): Promise<PlanReport>
  /** Reads the configuration file again and resolves with what came of it. */
  reload(): Promise<ReloadReport>
}

/** Times are ISO 8601, UTC. */
export interface Status {
  readonly version: string
  readonly startedAt: string
  readonly configuration: {
    readonly file: string
    readonly digest: string
    readonly appliedAt: string
    readonly lastReload: ReloadReport
  }
  /** What is known about the Palette that is protected; null until somebody has looked. */
  readonly installation: {
    readonly at: string
    readonly facts: readonly InstallationFact[]
    readonly problems: readonly string[]
  } | null
  /** Restores that were begun and not finished, as the locations have them on record. */
  readonly unfinishedRestores: readonly (UnfinishedRestoreSummary & { readonly location: string })[]
  readonly policies: readonly {
    readonly name: string
    readonly nextRun: string | null
    /** When a failed run is tried again. */
    readonly retryAt: string | null
    readonly locations: readonly {
      readonly name: string
      /** Start of the newest complete backup. */
      readonly lastSuccess: string | null
      /** Start of the newest one that a verification has proven. */
      readonly lastVerified: string | null
      readonly backups: number
    }[]
  }[]
  readonly locations: readonly {
    readonly name: string
    readonly up: boolean
    readonly lastError: (FailureData & { readonly at: string }) | null
  }[]
  readonly runs: RunList
}

export interface RunList {
  /** What waits or goes on, oldest first. */
  readonly active: readonly ActiveRun[]
  /** What ended, newest first. */
  readonly recent: readonly RunRecord[]
}

export interface BackupFilter {
  readonly policy?: string | undefined
  readonly location?: string | undefined
}

/** What a filter names and the configuration in force does not have. */
export interface UnknownName {
  readonly unknown: 'backup_policy' | 'backup_storage_location'
}

/** What the catalogs of the locations hold, as last read. */
export interface BackupList {
  /** Newest first. */
  readonly backups: readonly BackupSummary[]
  readonly catalogs: readonly {
    readonly policy: string
    readonly location: string
    /** ISO 8601, UTC; null while it was not read: its backups are not in the list. */
    readonly readAt: string | null
    /** The last attempt to use the location went well. */
    readonly up: boolean
  }[]
}

export interface StartedBackup {
  readonly runId: string
  readonly state: 'queued' | 'running'
  /** False: it was under way already. */
  readonly started: boolean
}

export interface LocationReport extends ValidationReport {
  readonly location: string
}

export interface ValidationReport {
  readonly ok: boolean
  readonly result: RunResult
  readonly steps: readonly ValidateStep[]
  readonly failure?: FailureData
}

export interface ConfigurationReport {
  /** No errors in the text, every location could be used, and the installation be read. */
  readonly ok: boolean
  readonly diagnostics: readonly Diagnostic[]
  readonly locations: readonly LocationReport[]
  /** Whether MongoDB is found and can be read; absent where there are errors in the text. */
  readonly installation?: ValidationReport
}

export interface PlanReport {
  /** No errors in the text. */
  readonly ok: boolean
  readonly diagnostics: readonly Diagnostic[]
  readonly plan?: Plan
  /** The plan as a person reads it. */
  readonly text?: string
}

export interface ReloadReport {
  readonly at: string
  readonly outcome: 'applied' | 'unchanged' | 'refused'
  readonly diagnostics: readonly Diagnostic[]
  /** What was applied, or would have been: `+ backup_policy.nightly`. */
  readonly changes?: readonly string[]
}
