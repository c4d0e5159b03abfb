/** What happens to a command instead of, or around, what it asks for. */
export type Effect =
  /** Answered like this, and nothing is done. */
  | { readonly kind: 'answer'; readonly code: number; readonly text: string }
  /** Done, and then answered like this. */
  | { readonly kind: 'answer-after'; readonly code: number; readonly text: string }
  /** Never answered, and nothing is done. */
  | { readonly kind: 'stall' }
  /** Done, and never answered. */
  | { readonly kind: 'stall-after' }
  /** The control connection is reset before anything is done. */
  | { readonly kind: 'reset' }
  /** It is done, and then the control connection is reset instead of the final reply. */
  | { readonly kind: 'reset-after' }
  /** The data connection is reset after so many bytes; the reply, 426 unless given, comes a moment later. */
  | { readonly kind: 'cut'; readonly bytes: number; readonly code?: number; readonly text?: string }
  /** No byte moves on the data connection after so many, and no reply comes. */
  | { readonly kind: 'silence'; readonly bytes: number }
  /** No more than so many bytes are kept or sent, and 226 all the same; `claim`: and told as if it were all. */
  | { readonly kind: 'truncate'; readonly bytes: number; readonly claim?: boolean }
  /** A bit of this byte changes on its way. */
  | { readonly kind: 'flip'; readonly at: number }
  /** The last line of a listing is missing, or comes twice. */
  | { readonly kind: 'lines'; readonly last: 'missing' | 'twice' }

export interface Fault {
  /** In capitals: `STOR`. */
  readonly command: string
  /** The first such command that is hit, counted from 1 from now on. Default: 1. */
  readonly nth?: number
  /** How many are hit from there. Default: 1. */
  readonly times?: number
  readonly effect: Effect
}

export class Faults {
  readonly #planned: { readonly fault: Fault; seen: number }[] = []

  add(fault: Fault): void {
    this.#planned.push({ fault, seen: 0 })
  }

  /** Counts the command and says what hits it. */
  next(command: string): Effect | undefined {
    let effect: Effect | undefined
    for (const planned of this.#planned) {
      const { fault } = planned
      if (fault.command !== command) continue
      planned.seen += 1
      const first = fault.nth ?? 1
      if (planned.seen >= first && planned.seen < first + (fault.times ?? 1)) effect ??= fault.effect
    }
    return effect
  }
}
