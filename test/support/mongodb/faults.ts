import { setTimeout as delay } from 'node:timers/promises'
import { CommandError } from './errors.ts'

export interface FaultRule {
  /** Command name, as `getMore`. */
  readonly command: string
  /** Only for this collection. */
  readonly collection?: string
  /** The first occurrence it strikes, counted from 1 since the rule was added. Default: 1. */
  readonly nth?: number
  /** How many occurrences it strikes. Default: 1; `Infinity` for all that follow. */
  readonly times?: number
  readonly action: FaultAction
}

export type FaultAction =
  | { readonly kind: 'fail'; readonly code: number; readonly message: string; readonly labels?: readonly string[] }
  /** The connection is cut instead of an answer; `after` lets the command take effect first. */
  | { readonly kind: 'close'; readonly after?: boolean }
  | { readonly kind: 'delay'; readonly ms: number }
  /** No answer until the rules are cleared, the connection ends or the double stops. */
  | { readonly kind: 'stall' }

/** A command that the rule says to fail, with the labels a driver decides by. */
export class InjectedFailure extends CommandError {
  readonly labels: readonly string[]

  constructor(code: number, message: string, labels: readonly string[]) {
    super(code, message)
    this.labels = labels
  }
}

export type FaultOutcome = 'serve' | 'close' | 'serve then close'

/** What goes wrong, when. Rules are tried in the order they were added; the first that strikes decides. */
export class Faults {
  #rules: { readonly rule: FaultRule; seen: number }[] = []
  #cleared = new AbortController()

  add(rule: FaultRule): void {
    this.#rules.push({ rule, seen: 0 })
  }

  /** Fails the n-th command of a name. */
  fail(command: string, { nth = 1, times = 1, code = 91, message = 'injected' }: FailOptions = {}): void {
    this.add({ command, nth, times, action: { kind: 'fail', code, message } })
  }

  /** Cuts the connection at the n-th command of a name, by default `getMore`. */
  closeAt(nth: number, command = 'getMore'): void {
    this.add({ command, nth, action: { kind: 'close' } })
  }

  /** Answers every command of a name `ms` late. */
  delay(command: string, ms: number): void {
    this.add({ command, times: Number.POSITIVE_INFINITY, action: { kind: 'delay', ms } })
  }

  /** Never answers the n-th command of a name. */
  stall(command: string, nth = 1): void {
    this.add({ command, nth, action: { kind: 'stall' } })
  }

  /** SnapshotTooOld from the n-th `getMore` on, as when the history window has passed. */
  snapshotTooOld(nth = 1): void {
    const message = 'Read timestamp is older than the oldest available timestamp.'
    this.add({
      command: 'getMore',
      nth,
      times: Number.POSITIVE_INFINITY,
      action: { kind: 'fail', code: 239, message },
    })
  }

  /** Forgets all rules and lets stalled commands go on. */
  clear(): void {
    this.#rules = []
    this.#cleared.abort()
    this.#cleared = new AbortController()
  }

  /** Called before a command is served; throws what the command fails with. */
  async strike(command: string, collection: string | undefined, closed: AbortSignal): Promise<FaultOutcome> {
    const action = this.#next(command, collection)
    if (!action) return 'serve'
    if (action.kind === 'fail') throw new InjectedFailure(action.code, action.message, action.labels ?? [])
    if (action.kind === 'close') return action.after ? 'serve then close' : 'close'
    await wait(action.kind === 'delay' ? action.ms : undefined, AbortSignal.any([closed, this.#cleared.signal]))
    return closed.aborted ? 'close' : 'serve'
  }

  // Every rule counts every command it is about, also those another rule decides.
  #next(command: string, collection: string | undefined): FaultAction | undefined {
    let action: FaultAction | undefined
    for (const entry of this.#rules) {
      const { rule } = entry
      if (rule.command !== command || (rule.collection !== undefined && rule.collection !== collection)) continue
      entry.seen += 1
      const first = rule.nth ?? 1
      if (entry.seen >= first && entry.seen < first + (rule.times ?? 1)) action ??= rule.action
    }
    return action
  }
}

export interface FailOptions {
  readonly nth?: number
  readonly times?: number
  readonly code?: number
  readonly message?: string
}

async function wait(ms: number | undefined, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  if (ms === undefined) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    return
  }
  await delay(ms, undefined, { signal }).catch(() => undefined)
}
