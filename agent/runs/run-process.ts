import type { ChildProcessByStdio } from 'node:child_process'
import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../core/clock.ts'
import type { FailureData } from '../core/errors.ts'
import { errnoOf, Failure, failureData, isAbort } from '../core/errors.ts'
import type { Emit, RunEvent, RunResult } from '../core/events.ts'
import { KIB, MIB } from '../core/units.ts'
import { parseEventLine } from './event-line.ts'
import { boundedLines } from './lines.ts'
import { isHeapFull, outOfMemoryKills } from './out-of-memory.ts'
import { offerToOomKiller } from './process-memory.ts'
import type { RunRequest } from './request.ts'
import { encodeRequest } from './request.ts'
import type { RunLimits } from './watchdog.ts'
import { Watchdog } from './watchdog.ts'

/** A catalog of 10,000 backups is one event of about 2 MB. */
const LONGEST_EVENT = 8 * MIB
const LONGEST_LOG_LINE = 64 * KIB

export interface RunProcessOptions {
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly request: RunRequest
  /** Must not throw, like `onLog`. */
  readonly onEvent: Emit
  /** A line that the process wrote to standard error, or that tells what was wrong with its output. */
  readonly onLog: (line: string) => void
  /** Aborted: the run is cancelled. */
  readonly signal: AbortSignal
  readonly clock: Clock
  /** What a process gets between SIGTERM and SIGKILL, and after its last event to exit. */
  readonly graceMs: number
  readonly limits: RunLimits
}

export interface RunEnd {
  readonly result: RunResult
  readonly failure?: FailureData
  /** False: the process died without saying how its run ended; what it held in the locations is still there. */
  readonly finished: boolean
  readonly peakMemoryBytes?: number
}

export interface RunProcess {
  /** Undefined when no process could be started. */
  readonly pid: number | undefined
  /** Never rejects. Resolves when the process is gone and everything it wrote has been handed on. */
  readonly done: Promise<RunEnd>
  /** Asks the process to stop, and kills it when it has not after `graceMs`. */
  cancel(): void
}

/**
 * Starts a process for one run. The request goes to its standard input, which stays open: a run process ends itself when
 * it closes, so none outlives the agent. Whatever way it ends, exactly one `run.finished` is handed on.
 */
export function startRunProcess(options: RunProcessOptions): RunProcess {
  const { command, env, request, signal } = options
  const [program, ...args] = command
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const run = new Conversation(child, options)
  // Without a process there may be no streams either.
  if (child.pid !== undefined) {
    offerToOomKiller(child.pid)
    run.watch(child.pid)
    // A process that dies before it has read its request breaks the pipe; its end tells more than that error.
    child.stdin.on('error', () => undefined)
    child.stdin.write(`${encodeRequest(request)}\n`)
  }
  const cancel = (): void => run.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  if (signal.aborted) cancel()
  const done = run.end().finally(() => signal.removeEventListener('abort', cancel))
  return { pid: child.pid, done, cancel }
}

type Finished = Extract<RunEvent, { type: 'run.finished' }>
type Child = ChildProcessByStdio<Writable, Readable, Readable>

class Conversation {
  readonly #child: Child
  readonly #options: RunProcessOptions
  readonly #startedMs: number
  readonly #gone = new AbortController()
  readonly #closed: Promise<string>
  readonly #killsBefore = outOfMemoryKills()
  #heapFull = false
  #cancelled = false
  /** The limit that was reached. */
  #breach: Failure | undefined
  #watchdog: Watchdog | undefined
  #finished: Finished | undefined

  constructor(child: Child, options: RunProcessOptions) {
    this.#child = child
    this.#options = options
    this.#startedMs = options.clock.monotonicMs()
    this.#closed = new Promise((resolve) => {
      child.on('error', (error) => {
        if (child.pid === undefined) resolve(`could not be started (${errnoOf(error) ?? error.message})`)
      })
      child.once('close', (code, signal) => resolve(signal ? `was ended by ${signal}` : `exited with code ${code}`))
    })
  }

  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    this.#end()
  }

  watch(pid: number): void {
    const { request, clock, limits } = this.#options
    this.#watchdog = new Watchdog({
      clock,
      pid,
      limits,
      name: `run ${request.runId} (${request.kind})`,
      signal: this.#gone.signal,
      onBreach: (why) => {
        if (this.#cancelled || this.#finished) return
        this.#breach = why
        this.#end()
      },
    })
    void this.#watchdog.watch()
  }

  async end(): Promise<RunEnd> {
    const [how] = await Promise.all([this.#closed, this.#readEvents(), this.#readLog()])
    this.#gone.abort()
    const finished = this.#finished !== undefined
    const { result, failure, peakMemoryBytes } = this.#finished ?? this.#finishFor(how)
    return {
      result,
      finished,
      ...(failure ? { failure } : {}),
      ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }),
    }
  }

  #end(): void {
    // A stopped process gets no signal but these two.
    this.#child.kill('SIGTERM')
    this.#child.kill('SIGCONT')
    void this.#killLater()
  }

  async #readEvents(): Promise<void> {
    const { request, onEvent } = this.#options
    try {
      for await (const { text, cut } of boundedLines(this.#child.stdout, LONGEST_EVENT)) {
        const event = cut ? undefined : parseEventLine(text)
        if (!event) this.#complain('a line that is no event')
        else if (event.runId !== request.runId) this.#complain('an event of another run')
        else if (this.#finished) this.#complain('an event after the end of its run')
        else {
          this.#watchdog?.onEvent(event)
          onEvent(event.type === 'run.finished' ? this.#finish(event) : event)
        }
      }
    } catch {
      // The pipe broke: how the process ended tells more.
    }
  }

  /** As the process told it, with its memory; a run that was ended for a limit failed for that, whatever it calls it. */
  #finish(event: Finished): Finished {
    const failed = this.#breach && event.result !== 'success' && event.result !== 'partial'
    const breach = failed ? { result: 'failed' as const, failure: failureData(this.#breach) } : {}
    this.#finished = { ...event, ...breach, ...this.#memory() }
    void this.#killLater()
    return this.#finished
  }

  #memory(): { peakMemoryBytes?: number } {
    return this.#watchdog ? { peakMemoryBytes: this.#watchdog.peakBytes } : {}
  }

  async #readLog(): Promise<void> {
    try {
      for await (const { text } of boundedLines(this.#child.stderr, LONGEST_LOG_LINE)) {
        this.#heapFull ||= isHeapFull(text)
        this.#options.onLog(text)
      }
    } catch {
      // As above.
    }
  }

  /** Not the line itself: nobody knows what it holds. */
  #complain(what: string): void {
    this.#options.onLog(`the run process wrote ${what} to standard output`)
  }

  async #killLater(): Promise<void> {
    const { clock, graceMs } = this.#options
    try {
      await clock.sleep(graceMs, { signal: this.#gone.signal })
      this.#child.kill('SIGKILL')
    } catch (thrown) {
      if (!isAbort(thrown)) throw thrown
    }
  }

  /** The end of a run whose process did not tell it. */
  #finishFor(how: string): Finished {
    const { request, clock, onEvent } = this.#options
    const { runId, kind } = request
    const failure = this.#whyDead(how)
    const event: Finished = {
      type: 'run.finished',
      runId,
      kind,
      ...(request.kind === 'backup' ? { policy: request.policy } : {}),
      at: clock.now().toISOString(),
      result: this.#cancelled ? 'cancelled' : 'failed',
      durationMs: clock.monotonicMs() - this.#startedMs,
      ...this.#memory(),
      failure,
    }
    onEvent(event)
    return event
  }

  #whyDead(how: string): FailureData {
    const { runId, kind } = this.#options.request
    if (this.#cancelled) return { code: 'cancelled', message: `run ${runId} was cancelled: its process ${how}` }
    if (this.#breach) return failureData(this.#breach)
    const message = `run ${runId} (${kind}) died: its process ${how} without saying how the run ended`
    const shortage = this.#shortage(how)
    if (shortage === undefined) return failureData(new Failure(message, { code: 'internal', ...hintFor(how) }))
    const hint = 'Give the container more memory, or let the policy use less: lower its compression_level.'
    return failureData(new Failure(`${message}; ${shortage}`, { code: 'out_of_memory', retryable: true, hint }))
  }

  #shortage(how: string): string | undefined {
    if (this.#heapFull) return 'the heap of V8 was full'
    const kills = (outOfMemoryKills() ?? 0) - (this.#killsBefore ?? 0)
    return kills > 0 && how.includes('SIGKILL') ? 'the kernel was short of memory and ended it' : undefined
  }
}

function hintFor(how: string): { readonly hint?: string } {
  if (!how.includes('SIGKILL')) return {}
  return outOfMemoryKills() === undefined
    ? { hint: 'The kernel ends processes so when memory is short.' }
    : { hint: 'The kernel did not end it for want of memory: something else on its machine did.' }
}
