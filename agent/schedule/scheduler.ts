import type { PolicyConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { isAbort } from '../core/errors.ts'
import { MINUTE_MS, SECOND_MS } from '../core/units.ts'
import { countDue, missed, nextDue, previousDue } from './due.ts'
import { retryDelayMs } from './retry.ts'
import { Upcoming } from './upcoming.ts'

/** A longer sleep would notice a clock that was set, or a machine that was suspended, too late. */
const LONGEST_SLEEP_MS = 30 * SECOND_MS
/** Due times of a policy that are remembered, so that a clock set back does not make them due again. */
const REMEMBERED = 32
/** How far wall clock and monotonic clock drift apart before it is called a jump. */
const JUMP_MS = MINUTE_MS
/** With `catch_up: false`, a due time that is noticed later than this is not made up. */
const LATE_MS = 10 * MINUTE_MS

export type Why = 'schedule' | 'catch-up' | 'retry'

/** None of these may throw. */
export interface SchedulerHooks {
  /** Start of the newest backup of a policy in any of its locations, as far as it is known. */
  readonly newest: (policy: string) => Date | undefined
  readonly onDue: (policy: PolicyConfig, dueAt: Date, why: Why) => void
  /** `count` due times, `dueAt` the last of them, passed and are not made up. */
  readonly onMissed: (policy: PolicyConfig, dueAt: Date, count: number) => void
  /** The wall clock was set, or the machine slept: by so much it moved more than time passed. */
  readonly onJump: (jumpMs: number) => void
}

export interface SchedulerOptions extends SchedulerHooks {
  readonly clock: Clock
}

interface Entry {
  readonly policy: PolicyConfig
  /** Due times up to here have been looked at. */
  seen: Date
  /** The due times that were acted on, oldest first. */
  readonly done: number[]
  /** Whether a due time that was missed while the agent was down may still be made up. */
  catchUp: boolean
  failures: number
  /** When a failed run is tried again, on the monotonic clock: no jump moves it. */
  retryAtMs: number | undefined
  readonly upcoming: Upcoming
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
  #clockJumps = 0

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
        failures: old?.failures ?? 0,
        retryAtMs: old?.retryAtMs,
        upcoming: new Upcoming(policy.schedule),
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
    if (!due || entry.done.includes(due.getTime())) return
    if (entry.policy.catchUp) this.#act(entry, due, 'catch-up')
    else this.#options.onMissed(entry.policy, due, 1)
  }

  /** A run of the policy ended. One that failed is tried again after a while, unless the policy is due before. */
  runEnded(name: string, { failed }: { readonly failed: boolean }): void {
    const entry = this.#entries.get(name)
    if (!entry) return
    entry.failures = failed ? entry.failures + 1 : 0
    entry.retryAtMs = undefined
    if (!failed || this.#stopped.signal.aborted) return
    const { clock } = this.#options
    const now = clock.now()
    const delayMs = retryDelayMs(entry.failures, { now, nextDue: this.#next(entry, now) })
    if (delayMs === undefined) return
    entry.retryAtMs = clock.monotonicMs() + delayMs
    this.#interrupted.abort()
  }

  nextRun(name: string): Date | undefined {
    const entry = this.#entries.get(name)
    return entry && this.#next(entry, this.#options.clock.now())
  }

  retryAt(name: string): Date | undefined {
    const retryAtMs = this.#entries.get(name)?.retryAtMs
    if (retryAtMs === undefined) return undefined
    const { clock } = this.#options
    return new Date(clock.now().getTime() + Math.max(0, retryAtMs - clock.monotonicMs()))
  }

  get clockJumps(): number {
    return this.#clockJumps
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
    const { clock } = this.#options
    const now = clock.now()
    const monotonicMs = clock.monotonicMs()
    this.#noticeJump(now, monotonicMs)
    this.#lastTick = { at: now, monotonicMs }
    let sleepMs = LONGEST_SLEEP_MS
    for (const entry of this.#entries.values()) {
      this.#lookAt(entry, now, monotonicMs)
      const next = this.#next(entry, now)
      if (next) sleepMs = Math.min(sleepMs, next.getTime() - now.getTime())
      if (entry.retryAtMs !== undefined) sleepMs = Math.min(sleepMs, entry.retryAtMs - monotonicMs)
    }
    return sleepMs
  }

  #lookAt(entry: Entry, now: Date, monotonicMs: number): void {
    const { policy, seen } = entry
    const newest = this.#options.newest(policy.name)
    const due = previousDue(policy.schedule, { at: now, newest })
    entry.seen = now
    if (due && due > seen) {
      const isLate = now.getTime() - due.getTime() > LATE_MS && !policy.catchUp
      const passed = countDue(policy.schedule, { after: seen, until: due, newest })
      const notMade = isLate ? passed : passed - 1
      if (notMade > 0) this.#options.onMissed(policy, due, notMade)
      if (!isLate) this.#act(entry, due, 'schedule')
    } else if (entry.retryAtMs !== undefined && entry.retryAtMs <= monotonicMs) {
      entry.retryAtMs = undefined
      this.#options.onDue(policy, now, 'retry')
    }
  }

  #noticeJump(now: Date, monotonicMs: number): void {
    if (!this.#lastTick) return
    const jumpMs = now.getTime() - this.#lastTick.at.getTime() - (monotonicMs - this.#lastTick.monotonicMs)
    if (Math.abs(jumpMs) < JUMP_MS) return
    this.#clockJumps += 1
    this.#options.onJump(jumpMs)
  }

  #next({ policy, done, upcoming }: Entry, now: Date): Date | undefined {
    const newest = this.#options.newest(policy.name)
    let next = upcoming.after(now, newest)
    for (let looked = 0; next && done.includes(next.getTime()) && looked < REMEMBERED; looked += 1) {
      next = nextDue(policy.schedule, { after: next, newest })
    }
    return next
  }

  #act(entry: Entry, due: Date, why: Why): void {
    const { policy, done } = entry
    if (done.includes(due.getTime())) return
    done.push(due.getTime())
    if (done.length > REMEMBERED) done.shift()
    entry.retryAtMs = undefined
    this.#options.onDue(policy, due, why)
  }
}

function isSameSchedule(a: PolicyConfig, b: PolicyConfig): boolean {
  return JSON.stringify(a.schedule) === JSON.stringify(b.schedule)
}
