import type { Operation } from './operation.ts'

/** What happens to a request instead of, or around, what it asks for. */
export type Effect =
  /** Refused, with an S3 error document or the given body. */
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string; readonly body?: string }
  /** The connection is cut before anything is done. */
  | { readonly kind: 'reset' }
  /** It is done, and then the connection is cut instead of the answer. */
  | { readonly kind: 'reset-after' }
  /** Never answered. */
  | { readonly kind: 'stall' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The answer is replaced, nothing is done. */
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  /** A download is cut after so many bytes. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** A download falls silent after so many bytes. */
  | { readonly kind: 'silence'; readonly bytes: number }

export interface Fault {
  readonly operation: Operation
  /** The first request of the operation that is hit, counted from 1 from now on. Default: 1. */
  readonly nth?: number
  /** How many requests are hit from there. Default: 1. */
  readonly times?: number
  /** Only requests about this part. */
  readonly part?: number
  readonly effect: Effect
}

export class Faults {
  readonly #planned: { readonly fault: Fault; seen: number }[] = []

  add(fault: Fault): void {
    this.#planned.push({ fault, seen: 0 })
  }

  /** Counts the request and says what hits it; `part` is the number of the part it is about, if any. */
  next(operation: Operation, part: number | undefined): Effect | undefined {
    let effect: Effect | undefined
    for (const planned of this.#planned) {
      const { fault } = planned
      if (fault.operation !== operation || (fault.part ?? part) !== part) continue
      planned.seen += 1
      const first = fault.nth ?? 1
      if (planned.seen >= first && planned.seen < first + (fault.times ?? 1)) effect ??= fault.effect
    }
    return effect
  }
}
