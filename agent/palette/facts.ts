import type { InstallationFact } from '../core/events.ts'

/** Collects what was found, where, and what was not. */
export class Facts {
  /** The API server did not answer. */
  isUnreachable = false
  readonly #facts: InstallationFact[] = []
  readonly #problems: string[] = []

  add(name: string, value: string | undefined, from: string): void {
    if (value !== undefined) this.#facts.push({ name, value, from })
  }

  problem(sentence: string): void {
    // One missing file or right can be met by several questions.
    if (!this.#problems.includes(sentence)) this.#problems.push(sentence)
  }

  get list(): readonly InstallationFact[] {
    return this.#facts
  }

  get problems(): readonly string[] {
    return this.#problems
  }
}
