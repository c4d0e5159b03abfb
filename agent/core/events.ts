import type { ErrorCode, FailureData } from './errors.ts'

/** What a run was asked to do. */
export type RunKind = 'backup' | 'catalog' | 'validate' | 'prune' | 'verify' | 'restore'

/** How a run ended, exactly one of. */
export type RunResult = 'success' | 'partial' | 'failed' | 'cancelled'

/** What stands in a location about one backup, learned from a listing alone or from its manifest. */
export interface BackupSummary {
  readonly backupId: string
  readonly policy: string
  readonly location: string
  /** ISO 8601, UTC: the time in the backup id. */
  readonly startedAt: string
  /** False where a source could not give everything (`partial.json`). */
  readonly complete: boolean
  /** Somebody asked to keep it for good. */
  readonly pinned?: boolean
  /** A verification has proven it. */
  readonly verified?: boolean
  /** It was found not restorable, by a verification or a look at its manifest and artifacts. */
  readonly damaged?: boolean
  /** Its manifest could not be read, is of a newer format or another installation; or it lies behind too many that are damaged. */
  readonly unreadable?: boolean
}

/** Every source gave everything, and nothing is known against it. */
export function isGood(backup: Pick<BackupSummary, 'complete' | 'damaged' | 'unreadable'>): boolean {
  return backup.complete && !backup.damaged && !backup.unreadable
}

/** A restore that has begun to change its target. */
export interface UnfinishedRestoreSummary {
  /** `host:port` of the MongoDB that is restored into. */
  readonly target: string
  readonly backupId: string
  readonly stage: string
  /** ISO 8601, UTC */
  readonly startedAt: string
}

/** What only the manifest of a backup tells. */
export interface BackupFacts {
  /** Bytes of BSON read, of archive stored. */
  readonly sourceBytes: number
  readonly storedBytes: number
  /** All of its data is as it was at one instant. */
  readonly consistent: boolean
}

/** One thing that is known about an installation, and where it comes from. */
export interface InstallationFact {
  readonly name: string
  readonly value: string
  readonly from: string
}

/** Everything that happens, as plain JSON-safe data. Core code emits; logs, metrics, progress and history subscribe. */
export type RunEvent =
  | {
      readonly type: 'run.started'
      readonly runId: string
      readonly kind: RunKind
      readonly policy?: string
      readonly at: string
    }
  | { readonly type: 'run.stage'; readonly runId: string; readonly stage: string }
  | {
      readonly type: 'run.progress'
      readonly runId: string
      /** Bytes read from the source so far, and all there are if that is known. */
      readonly bytes: number
      readonly totalBytes?: number
      readonly documents: number
      /** The one that is being read. */
      readonly collection?: string
    }
  /** A source was read to its end; how far it is from one instant. */
  | {
      readonly type: 'source.read'
      readonly runId: string
      readonly policy: string
      readonly source: 'mongodb'
      readonly consistency: 'snapshot' | 'none'
      /** Why it is no snapshot. */
      readonly reason?: string
      /** `host:port` and what it is in its replica set. */
      readonly member?: string
    }
  /** The process of the run is alive; `movedBytes` grows while anything is read from a source or moved to a location. */
  | { readonly type: 'run.heartbeat'; readonly runId: string; readonly movedBytes: number }
  | { readonly type: 'run.warning'; readonly runId: string; readonly message: string }
  /** What is known about the Palette that is protected, without secrets. */
  | {
      readonly type: 'installation.found'
      readonly runId: string
      readonly facts: readonly InstallationFact[]
      /** Certificates of the cluster that MongoDB is reached with; absent where nobody could look. ISO 8601, UTC. */
      readonly certificates?: readonly { readonly certificate: string; readonly expiresAt: string }[]
      /** What could not be found out, as sentences. */
      readonly problems: readonly string[]
    }
  /** A backup was stored in a location, read back, and its manifest written. */
  | {
      readonly type: 'location.stored'
      readonly runId: string
      readonly policy: string
      readonly location: string
      readonly backupId: string
      readonly startedAt: string
      readonly complete: boolean
      readonly storedBytes: number
      readonly sourceBytes?: number
      readonly consistent?: boolean
    }
  | {
      readonly type: 'location.failed'
      readonly runId: string
      readonly policy: string
      readonly location: string
      readonly stage: string
      readonly failure: FailureData
    }
  /** All backups of one policy in one location, as just listed. */
  | {
      readonly type: 'catalog.read'
      readonly runId: string
      readonly policy: string
      readonly location: string
      readonly backups: readonly BackupSummary[]
      /** Of the newest complete one; absent when there is none, or its manifest could not be read. */
      readonly newest?: BackupFacts
    }
  /** Restores that a location has on record as begun and not finished. */
  | {
      readonly type: 'restores.read'
      readonly runId: string
      readonly location: string
      readonly unfinished: readonly UnfinishedRestoreSummary[]
    }
  | {
      readonly type: 'catalog.failed'
      readonly runId: string
      readonly location: string
      readonly failure: FailureData
    }
  | {
      readonly type: 'backup.deleted'
      readonly runId: string
      readonly policy: string
      readonly location: string
      readonly backupId: string
    }
  /** Retention was applied to one policy in one location; each deletion was told before. */
  | {
      readonly type: 'retention.applied'
      readonly runId: string
      readonly policy: string
      readonly location: string
      /** Backups that should be gone and are not, because deleting them failed. */
      readonly failures: number
      /** Nothing was deleted, because so many deletions at once are more likely a wrong clock than meant. */
      readonly refused: boolean
    }
  | {
      readonly type: 'backup.verified'
      readonly runId: string
      readonly policy: string
      readonly location: string
      readonly backupId: string
      readonly startedAt: string
      readonly ok: boolean
    }
  /** What dead runs left in a location was looked for and removed. */
  | {
      readonly type: 'location.swept'
      readonly runId: string
      readonly location: string
      readonly objects: number
      /** What could not be cleaned up now. */
      readonly failures: number
    }
  /** What a run used a location for, every try counted. */
  | {
      readonly type: 'location.used'
      readonly runId: string
      readonly location: string
      /** By name of the operation: put, get, list, delete, stat, discard. */
      readonly operations: Readonly<Record<string, number>>
      /** By code of the failure; those that a repetition cured are among them. */
      readonly errors: Readonly<Partial<Record<ErrorCode, number>>>
      readonly sentBytes: number
      readonly receivedBytes: number
    }
  /** Without a location: of the installation. */
  | { readonly type: 'validate.step'; readonly runId: string; readonly location?: string; readonly step: ValidateStep }
  | {
      readonly type: 'run.finished'
      readonly runId: string
      readonly kind: RunKind
      readonly policy?: string
      readonly at: string
      readonly result: RunResult
      readonly durationMs: number
      /** Bytes of BSON read, of archive stored per location. */
      readonly sourceBytes?: number
      readonly storedBytes?: number
      /** Largest resident memory of the run's process; known to who started it. */
      readonly peakMemoryBytes?: number
      readonly failure?: FailureData
    }

/** One step of using a location for real. */
export interface ValidateStep {
  readonly name: string
  readonly ok: boolean
  readonly durationMs: number
  readonly detail?: string
  readonly failure?: FailureData
}

export type Emit = (event: RunEvent) => void

export interface Events {
  emit: Emit
  /** Calls `listener` for every event from now on, until the returned function is called. */
  subscribe(listener: Emit): () => void
}

/** A subscriber that throws is reported to `onError` and harms neither the emitter nor the others. */
export function createEvents(onError: (thrown: unknown) => void): Events {
  const listeners = new Set<Emit>()
  return {
    emit(event) {
      for (const listener of listeners) {
        try {
          listener(event)
        } catch (thrown) {
          onError(thrown)
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
