import type { LogLine } from './event-log.ts'

/** A log line of one run. */
export interface JournalEntry extends LogLine {
  /** ISO 8601, UTC. */
  readonly at: string
}

const LINES = 200
const LONGEST_LINE = 2000

/** The last log lines of one run, for whoever asks for it. Bounded, whatever a run has to say. */
export class RunJournal {
  readonly #lines: JournalEntry[] = []
  #dropped = 0

  add(at: Date, { level, message, fields }: LogLine): void {
    const fits = JSON.stringify(fields).length <= LONGEST_LINE
    this.#lines.push({ at: at.toISOString(), level, message, fields: fits ? fields : { cut: true } })
    if (this.#lines.length <= LINES) return
    this.#lines.shift()
    this.#dropped += 1
  }

  /** Oldest first. */
  get lines(): readonly JournalEntry[] {
    return this.#lines
  }

  /** Older lines that are not kept any more. */
  get dropped(): number {
    return this.#dropped
  }
}
