import type { CertificateExpiry } from '../core/certificate.ts'
import { expiryOf } from '../core/certificate.ts'
import type { InstallationFact } from '../core/events.ts'

/** Collects what was found, where, and what was not. */
export class Facts {
  /** The API server did not answer. */
  isUnreachable = false
  readonly #facts: InstallationFact[] = []
  readonly #problems: string[] = []
  readonly #certificates: CertificateExpiry[] = []

  add(name: string, value: string | undefined, from: string): void {
    if (value !== undefined) this.#facts.push({ name, value, from })
  }

  /** A certificate of the cluster that MongoDB is reached with. */
  certificate(where: string, pem: string | undefined): void {
    this.#certificates.push(...expiryOf(where, pem))
  }

  problem(sentence: string): void {
    // One missing file or right can be met by several questions.
    if (!this.#problems.includes(sentence)) this.#problems.push(sentence)
  }

  get list(): readonly InstallationFact[] {
    return this.#facts
  }

  get certificates(): readonly CertificateExpiry[] {
    return this.#certificates
  }

  get problems(): readonly string[] {
    return this.#problems
  }
}
