import type { PolicyConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { isAbort } from '../core/errors.ts'
import { SECOND_MS } from '../core/units.ts'
import { missed, nextDue, previousDue } from './due.ts'

/** A longer sleep would notice a clock that was set, or a machine that was suspended, too late. */
const LONGEST_SLEEP_MS = 30 * SECOND_MS
/** Due times of a policy that are remembered, so that a clock set back does not make them due again. */
const REMEMBERED = 32

export interface SchedulerOptions {
  readonly clock: Clock
  /** Start of the newest backup of a policy in any of its locations, as far as it is known. */
  readonly newest: (policy: string) => Date | undefined
  /** Must not throw. */
  readonly onDue: (policy: PolicyConfig, dueAt: Date) => void
}

interface Entry {
  readonly policy: PolicyConfig
  /** Due times up to here have been looked at. */
  seen: Date
  /** The due times that were acted on, oldest first. */
  readonly done: number[]
  /** Whether a due time that was missed while the agent was down may still be made up. */
  catchUp: boolean
}

/**
 * Says when policies are due, each due time at most once, against the wall clock: several due times that pass while the
 * machine sleeps count as one.
 */
export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #entries = new Map<string, Entry>()
  readonly #stopped = new AbortController()
  #interrupted = new AbortController()
  #loop: Promise<void> | undefined
  #lastTick: { readonly at: Date; readonly monotonicMs: number } | undefined

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  /** Begins. The policies that are known now may be caught up once. */
  start(): void {
    if (this.#loop) return
    for (const entry of this.#entries.values()) entry.catchUp = true
    this.#loop = this.#run()
  }

  /** Makes these the policies. Unchanged ones keep their state; a changed one is due from now on, never for the past. */
  update(policies: readonly PolicyConfig[]): void {
    const now = this.#options.clock.now()
    const known = new Map(this.#entries)
    this.#entries.clear()
    for (const policy of policies) {
      const old = known.get(policy.name)
      const kept = old && isSameSchedule(old.policy, policy)
      this.#entries.set(policy.name, {
        policy,
        seen: kept ? old.seen : now,
        done: old?.done ?? [],
        catchUp: kept ? old.catchUp : false,
      })
    }
    this.#interrupted.abort()
  }

  /** Resolves once nothing will become due any more. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#loop
  }

  /** Once for each policy known at the start, when its backups are known: runs it if a due time passed without one. */
  catchUp(name: string): void {
    const entry = this.#entries.get(name)
    if (!entry?.catchUp || this.#stopped.signal.aborted) return
    entry.catchUp = false
    const now = this.#options.clock.now()
    const due = missed(entry.policy.schedule, { newest: this.#options.newest(name), now })
    if (due) this.#act(entry, due)
  }

  nextRun(name: string): Date | undefined {
    const entry = this.#entries.get(name)
    return entry && this.#next(entry, this.#options.clock.now())
  }

  /** When the scheduler last looked at the clock. */
  get lastTick(): Date | undefined {
    return this.#lastTick?.at
  }

  /** How long ago that was, whatever was done to the wall clock since. */
  get msSinceTick(): number {
    const { clock } = this.#options
    return this.#lastTick ? clock.monotonicMs() - this.#lastTick.monotonicMs : Number.POSITIVE_INFINITY
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    const stopped = this.#stopped.signal
    while (!stopped.aborted) {
      this.#interrupted = new AbortController()
      const sleepMs = this.#tick()
      try {
        await clock.sleep(sleepMs, { signal: AbortSignal.any([stopped, this.#interrupted.signal]) })
      } catch (thrown) {
        if (!isAbort(thrown)) throw thrown
      }
    }
  }

  /** Acts on what became due and says how long to sleep. */
  #tick(): number {
    const { clock, newest } = this.#options
    const now = clock.now()
    this.#lastTick = { at: now, monotonicMs: clock.monotonicMs() }
    let sleepMs = LONGEST_SLEEP_MS
    for (const entry of this.#entries.values()) {
      const due = previousDue(entry.policy.schedule, { at: now, newest: newest(entry.policy.name) })
      if (due && due > entry.seen) this.#act(entry, due)
      entry.seen = now
      const next = this.#next(entry, now)
      if (next) sleepMs = Math.min(sleepMs, next.getTime() - now.getTime())
    }
    return sleepMs
  }

  #next({ policy, done }: Entry, now: Date): Date | undefined {
    const newest = this.#options.newest(policy.name)
    let next = nextDue(policy.schedule, { after: now, newest })
    for (let looked = 0; next && done.includes(next.getTime()) && looked < REMEMBERED; looked += 1) {
      next = nextDue(policy.schedule, { after: next, newest })
    }
    return next
  }

  #act({ policy, done }: Entry, due: Date): void {
    if (done.includes(due.getTime())) return
    done.push(due.getTime())
    if (done.length > REMEMBERED) done.shift()
    this.#options.onDue(policy, due)
  }
}

function isSameSchedule(a: PolicyConfig, b: PolicyConfig): boolean {
  return JSON.stringify(a.schedule) === JSON.stringify(b.schedule)
}
