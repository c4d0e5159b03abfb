import type { Fact } from './installation.ts'

/** Collects what was found, where, and what was not. */
export class Facts {
  readonly #facts: Fact[] = []
  readonly #problems: string[] = []

  add(name: string, value: string | undefined, from: string): void {
    if (value !== undefined) this.#facts.push({ name, value, from })
  }

  problem(sentence: string): void {
    this.#problems.push(sentence)
  }

  get list(): readonly Fact[] {
    return this.#facts
  }

  get problems(): readonly string[] {
    return this.#problems
  }
}
