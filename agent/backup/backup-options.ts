import type { PolicyConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import type { Failure, FailureData } from '../core/errors.ts'
import type { Emit, RunResult } from '../core/events.ts'
import type { Location } from '../locations/location.ts'
import type { Source } from '../sources/source.ts'
import type { InFlightRecord, Owner } from './in-flight.ts'
import type { Installation } from './manifest.ts'
import type { ProveStored } from './prove-stored.ts'

export interface BackupOptions {
  readonly runId: string
  readonly clusterName: string
  readonly policy: PolicyConfig
  /** Read one after another. Without the first there is no backup; without another one it is partial. */
  readonly sources: readonly Source[]
  /** Why the backup is made, when it is not for the policy's own sake. */
  readonly purpose?: 'safety' | 'import'
  /** When what it holds was as it is; default: now, because it is read now. */
  readonly takenAt?: Date
  /** `host:port` of the server that a safety backup is made of. */
  readonly target?: string
  readonly installation?: Installation
  /** For a policy that wants more than that what is stored is compared with what was sent. */
  readonly proving?: ProveStored
  /** Those of the policy; one that cannot even be opened is in `unusable`. */
  readonly locations: readonly Location[]
  readonly unusable?: readonly { readonly name: string; readonly failure: Failure }[]
  readonly owner: Owner
  readonly isDead: (record: InFlightRecord) => boolean
  readonly toolVersion: string
  readonly clock: Clock
  readonly emit: Emit
  readonly signal: AbortSignal
}

export interface BackupOutcome {
  readonly result: RunResult
  readonly backupId: string
  /** Names of the locations that hold the backup now. */
  readonly stored: readonly string[]
  readonly failed: readonly { readonly location: string; readonly stage: string; readonly failure: FailureData }[]
  readonly warnings: readonly string[]
  readonly sourceBytes: number
  readonly storedBytes: number
  /** Why nothing was stored, or what stopped the run. */
  readonly failure?: Failure
}
