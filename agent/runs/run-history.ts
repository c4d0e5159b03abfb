import type { FailureData } from '../core/errors.ts'
import type { RunKind, RunResult } from '../core/events.ts'

/** One run, as `/runs` and `/status` show it. Times are ISO 8601, UTC. */
export interface RunRecord {
  readonly runId: string
  readonly kind: RunKind
  readonly policy?: string
  readonly location?: string
  readonly startedAt: string
  readonly finishedAt: string
  readonly result: RunResult
  readonly failure?: FailureData
}

const KEPT = 50

/** The last 50 backup runs and the last 50 others: catalogs are read so often that they would crowd out the rest. */
export class RunHistory {
  readonly #backups: RunRecord[] = []
  readonly #others: RunRecord[] = []

  add(record: RunRecord): void {
    const kept = record.kind === 'backup' ? this.#backups : this.#others
    kept.push(record)
    if (kept.length > KEPT) kept.shift()
  }

  /** Newest first. */
  list(): readonly RunRecord[] {
    return [...this.#backups, ...this.#others].sort((a, b) => (a.finishedAt < b.finishedAt ? 1 : -1))
  }
}
