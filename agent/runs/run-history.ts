import type { FailureData } from '../core/errors.ts'
import type { RunKind, RunResult } from '../core/events.ts'
import type { RunJournal } from './run-journal.ts'

/** What became of a backup in one location. */
export type LocationEnd =
  | { readonly location: string; readonly backupId: string }
  | { readonly location: string; readonly stage: string; readonly failure: FailureData }

/** One run, as `/runs` and `/status` show it. Times are ISO 8601, UTC. */
export interface RunRecord {
  readonly runId: string
  readonly kind: RunKind
  readonly policy?: string
  readonly location?: string
  readonly startedAt: string
  readonly finishedAt: string
  /** `skipped`: the policy was due and nothing was started. */
  readonly result: RunResult | 'skipped'
  readonly sourceBytes?: number
  readonly storedBytes?: number
  readonly peakMemoryBytes?: number
  readonly locations?: readonly LocationEnd[]
  readonly warnings?: readonly string[]
  readonly failure?: FailureData
}

export interface PastRun {
  readonly record: RunRecord
  readonly journal: RunJournal
}

const KEPT = 50

/** The last 50 backup runs and the last 50 others: catalogs are read so often that they would crowd out the rest. */
export class RunHistory {
  readonly #backups: PastRun[] = []
  readonly #others: PastRun[] = []

  add(run: PastRun): void {
    const kept = run.record.kind === 'backup' ? this.#backups : this.#others
    kept.push(run)
    if (kept.length > KEPT) kept.shift()
  }

  find(runId: string): PastRun | undefined {
    return [...this.#backups, ...this.#others].find(({ record }) => record.runId === runId)
  }

  /** Newest first. */
  list(): readonly RunRecord[] {
    return [...this.#backups, ...this.#others]
      .map(({ record }) => record)
      .sort((a, b) => (a.finishedAt < b.finishedAt ? 1 : -1))
  }
}
