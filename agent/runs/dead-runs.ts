import type { RunEnd } from './run-process.ts'

/** Per policy; the records of runs in flight, which the locations hold, know them all. */
const REMEMBERED = 32

/**
 * Backup runs whose process died. What such a run left in the locations stays there until a run of the same policy,
 * which writes to the same locations, got through; until then each one is told of it.
 */
export class DeadRuns {
  readonly #byPolicy = new Map<string, readonly string[]>()

  of(policy: string): readonly string[] {
    return this.#byPolicy.get(policy) ?? []
  }

  note(policy: string, runId: string, end: RunEnd): void {
    if (end.result === 'success') this.#byPolicy.delete(policy)
    else if (!end.finished) this.#byPolicy.set(policy, [...this.of(policy), runId].slice(-REMEMBERED))
  }
}
