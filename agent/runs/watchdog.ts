import type { Clock } from '../core/clock.ts'
import type { ErrorCode } from '../core/errors.ts'
import { Failure, isAbort } from '../core/errors.ts'
import type { RunEvent } from '../core/events.ts'
import { formatBytes, formatDuration, MINUTE_MS, SECOND_MS } from '../core/units.ts'
import { processMemory } from './process-memory.ts'

const LOOK_EVERY_MS = SECOND_MS

export interface RunLimits {
  readonly timeoutMs: number
  readonly memoryLimitBytes: number
  /** Without any sign of life a process hangs: its event loop stands still. */
  readonly silentMs: number
  /** Alive but without progress: nothing was read, moved or told for so long. */
  readonly stallMs: number
}

/** A run says every 10 seconds that it is alive. */
export const SILENT_MS = 2 * MINUTE_MS
export const STALL_MS = 30 * MINUTE_MS

export interface WatchdogOptions {
  readonly clock: Clock
  readonly pid: number
  /** As in messages: `run abcdefgh (backup)` */
  readonly name: string
  readonly limits: RunLimits
  /** Called at most once. */
  readonly onBreach: (why: Failure) => void
  /** Aborted when the process is gone. */
  readonly signal: AbortSignal
}

/** Watches one process: its time, its memory, and that it gets on. */
export class Watchdog {
  readonly #options: WatchdogOptions
  readonly #startedMs: number
  #peakBytes = 0
  #lastSignMs: number
  #lastProgressMs: number
  #movedBytes = -1

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#startedMs = options.clock.monotonicMs()
    this.#lastSignMs = this.#startedMs
    this.#lastProgressMs = this.#startedMs
  }

  /** Largest resident memory of the process, as far as it was seen. */
  get peakBytes(): number {
    return this.#peakBytes
  }

  /** Resolves when the process is gone or a limit was breached. */
  async watch(): Promise<void> {
    const { clock, signal, onBreach } = this.#options
    while (!signal.aborted) {
      const why = this.#breach()
      if (why) return onBreach(why)
      try {
        await clock.sleep(LOOK_EVERY_MS, { signal })
      } catch (thrown) {
        if (!isAbort(thrown)) throw thrown
      }
    }
  }

  onEvent(event: RunEvent): void {
    const now = this.#options.clock.monotonicMs()
    this.#lastSignMs = now
    this.#look()
    if (event.type === 'run.heartbeat') {
      if (event.movedBytes === this.#movedBytes) return
      this.#movedBytes = event.movedBytes
    }
    this.#lastProgressMs = now
  }

  #look(): number {
    const memory = processMemory(this.#options.pid)
    if (memory) this.#peakBytes = Math.max(this.#peakBytes, memory.peakBytes)
    return memory?.bytes ?? 0
  }

  #breach(): Failure | undefined {
    const { clock, limits, name } = this.#options
    const bytes = this.#look()
    const now = clock.monotonicMs()
    const stop = (why: string, hint: string, code: ErrorCode = 'limit'): Failure => {
      return new Failure(`${name} was ended: ${why}`, { code, retryable: true, hint })
    }
    if (bytes > limits.memoryLimitBytes) {
      const used = `its process uses ${formatBytes(bytes)} of at most ${formatBytes(limits.memoryLimitBytes)} of memory`
      return stop(used, 'Raise memory_limit of the policy, or lower its compression_level.', 'out_of_memory')
    }
    if (now - this.#startedMs > limits.timeoutMs) {
      const late = `it took longer than ${formatDuration(limits.timeoutMs)}`
      return stop(late, 'Find out what was slow in its log, or raise timeout of the policy.')
    }
    if (now - this.#lastSignMs > limits.silentMs) {
      const silence = `its process gave no sign of life for ${formatDuration(limits.silentMs)}`
      return stop(silence, 'The machine may be overloaded; the next run tries again.')
    }
    if (now - this.#lastProgressMs > limits.stallMs) {
      const stall = `nothing moved for ${formatDuration(limits.stallMs)}`
      return stop(stall, 'Look for a MongoDB or a location that accepts connections and then does not answer.')
    }
    return undefined
  }
}
