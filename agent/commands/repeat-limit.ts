import type { Clock } from '../core/clock.ts'
import { HOUR_MS } from '../core/units.ts'

/** Keeps a log from saying the same of the same thing again and again: once, when it changes, and then once an hour. */
export class RepeatLimit {
  readonly #clock: Clock
  readonly #said = new Map<string, { readonly text: string; readonly atMs: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether to say `text` of `subject` now. Subjects are few: names of the configuration. */
  allows(subject: string, text: string): boolean {
    const now = this.#clock.monotonicMs()
    const last = this.#said.get(subject)
    if (last?.text === text && now - last.atMs < HOUR_MS) return false
    this.#said.set(subject, { text, atMs: now })
    return true
  }

  /** All is well again: the next trouble is news. */
  forget(subject: string): void {
    this.#said.delete(subject)
  }
}
