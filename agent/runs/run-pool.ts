import type { PolicyConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import type { FailureData } from '../core/errors.ts'
import { Failure, failureData } from '../core/errors.ts'
import type { Emit, RunEvent, RunResult } from '../core/events.ts'
import type { Logger } from '../core/log.ts'
import { HOUR_MS, MIB } from '../core/units.ts'
import { DeadRuns } from './dead-runs.ts'
import { logLineIn } from './relay-log.ts'
import type { RunOrder, RunRequest } from './request.ts'
import { runEnvironment } from './run-environment.ts'
import type { RunRecord } from './run-history.ts'
import { RunHistory } from './run-history.ts'
import { createRunId } from './run-id.ts'
import type { JournalEntry } from './run-journal.ts'
import { RunJournal } from './run-journal.ts'
import type { RunEnd, RunProcess, RunProcessOptions } from './run-process.ts'
import { startRunProcess } from './run-process.ts'
import type { ActiveRun } from './run-task.ts'
import { RunTask } from './run-task.ts'
import type { RunLimits } from './watchdog.ts'
import { SILENT_MS, STALL_MS } from './watchdog.ts'

/** Processes at once, for backups and apart from them for short runs: validating must not wait for hours. */
const PROCESSES = 2
/** Short runs that wait; more are refused. Of backups one of each policy waits at the most: none may be lost to others. */
const LONGEST_QUEUE = 64
/** Lines of one run that reach the agent's log; a run that says more is cut short there. */
const MOST_LINES = 1000
/** What a run that belongs to no policy may take. */
const SHORT_RUN = { timeoutMs: HOUR_MS, memoryLimitBytes: 512 * MIB }

export interface RunPoolOptions extends Pick<RunProcessOptions, 'command' | 'env' | 'graceMs'> {
  readonly clock: Clock
  readonly logger: Logger
  readonly emit: Emit
  readonly processes?: number
  readonly patience?: Pick<RunLimits, 'silentMs' | 'stallMs'>
}

export interface SubmittedRun {
  readonly runId: string
  readonly done: Promise<RunEnd>
  cancel(): void
}

/** Everything that is known of one run. */
export type RunDetail = (ActiveRun | RunRecord) & {
  readonly log: readonly JournalEntry[]
  /** Older log lines that are not kept. */
  readonly logDropped: number
}

export interface DrainOptions {
  /** Backups that go on get so long to end by themselves. */
  readonly waitMs: number
  /** Aborted: they get no longer. */
  readonly hurry: AbortSignal
}

/** Runs processes: one backup per policy at a time, few at once, and a record of how each ended. */
export class RunPool {
  readonly #options: RunPoolOptions
  readonly #tasks = new Map<string, RunTask>()
  readonly #history = new RunHistory()
  readonly #deadRuns = new DeadRuns()
  #draining = false

  constructor(options: RunPoolOptions) {
    this.#options = options
  }

  /**
   * Starts a run, or lets it wait for its turn. A backup of a policy that already has one is not started again: ask
   * `backupOf` first. Rejected with `unavailable` while stopping, and for short runs when too many of them wait.
   */
  submit(order: RunOrder, onEvent?: Emit): SubmittedRun {
    if (this.#draining)
      throw new Failure(`starting a ${order.kind} run: the agent is stopping`, { code: 'unavailable' })
    if (order.kind === 'backup' && this.backupOf(order.policy)) {
      throw new Failure(`starting a backup of ${order.policy}: one is under way`, { code: 'refused' })
    }
    const waiting = this.#count((task) => task.state === 'queued' && task.order.kind !== 'backup')
    if (order.kind !== 'backup' && waiting >= LONGEST_QUEUE) {
      throw new Failure(`starting a ${order.kind} run: ${LONGEST_QUEUE} runs wait already`, {
        code: 'unavailable',
        retryable: true,
      })
    }
    const task = new RunTask(createRunId(), order, this.#options.clock.now(), onEvent)
    this.#tasks.set(task.runId, task)
    this.#startWaiting()
    return { runId: task.runId, done: task.done, cancel: () => this.#cancel(task) }
  }

  /** The backup of a policy that waits or goes on. */
  backupOf(policy: string): ActiveRun | undefined {
    return this.active().find((run) => run.kind === 'backup' && run.policy === policy)
  }

  active(): readonly ActiveRun[] {
    return [...this.#tasks.values()].map((task) => task.view())
  }

  history(): readonly RunRecord[] {
    return this.#history.list()
  }

  /** One run, whether it waits, goes on or has ended; undefined when it is not known, or not any more. */
  find(runId: string): RunDetail | undefined {
    const task = this.#tasks.get(runId)
    const past = this.#history.find(runId)
    const journal = task?.journal ?? past?.journal
    const facts = task?.view() ?? past?.record
    return facts && journal && { ...facts, log: journal.lines, logDropped: journal.dropped }
  }

  /** Asks a run to end. False when it waits or goes on no more. */
  cancel(runId: string): boolean {
    const task = this.#tasks.get(runId)
    if (task) this.#cancel(task)
    return task !== undefined
  }

  /** Puts on record that a policy was due and nothing was started. */
  recordSkipped(policy: string, dueAt: Date, reason: string): void {
    const at = this.#options.clock.now().toISOString()
    const failure: FailureData = { code: 'unavailable', message: reason }
    const record: RunRecord = {
      runId: createRunId(),
      kind: 'backup',
      policy,
      startedAt: dueAt.toISOString(),
      finishedAt: at,
      result: 'skipped',
      failure,
    }
    this.#history.add({ record, journal: new RunJournal() })
  }

  /** Takes no more runs, cancels what waits and what is short, lets backups end as long as allowed, then cancels them. */
  async drain({ waitMs, hurry }: DrainOptions): Promise<void> {
    this.#draining = true
    const tasks = [...this.#tasks.values()]
    const patient = waitMs > 0 ? tasks.filter((task) => task.state === 'running' && task.order.kind === 'backup') : []
    for (const task of tasks) if (!patient.includes(task)) this.#cancel(task)
    if (patient.length > 0) await this.#waitFor(patient, waitMs, hurry)
    for (const task of patient) this.#cancel(task)
    await Promise.all(tasks.map((task) => task.done))
  }

  async #waitFor(tasks: readonly RunTask[], waitMs: number, hurry: AbortSignal): Promise<void> {
    const ended = new AbortController()
    void Promise.all(tasks.map((task) => task.done)).then(() => ended.abort())
    const signal = AbortSignal.any([ended.signal, hurry])
    await this.#options.clock.sleep(waitMs, { signal }).catch(() => undefined)
  }

  #cancel(task: RunTask): void {
    if (task.state === 'running') {
      task.cancelled.abort()
      return
    }
    if (!this.#tasks.has(task.runId)) return
    const failure = failureData(new Failure(`run ${task.runId} was cancelled before it started`, { code: 'cancelled' }))
    this.#hear(task, this.#finishedEvent(task, 'cancelled', failure))
    this.#finish(task, { result: 'cancelled', failure, finished: true })
  }

  #startWaiting(): void {
    if (this.#draining) return
    for (const task of [...this.#tasks.values()]) {
      const isBackup = task.order.kind === 'backup'
      const busy = this.#count((other) => other.state === 'running' && (other.order.kind === 'backup') === isBackup)
      if (task.state === 'queued' && busy < (this.#options.processes ?? PROCESSES)) this.#start(task)
    }
  }

  #start(task: RunTask): void {
    const { logger, clock, command, env, graceMs } = this.#options
    task.state = 'running'
    task.since = clock.now()
    const limits = this.#limits(task.order)
    const runLogger = logger.child({ run: task.runId, ...task.subject })
    let lines = 0
    const process = this.#spawn(task, {
      command,
      env: withHeapLimit(runEnvironment(env, task.order.config), limits),
      graceMs,
      clock,
      limits,
      request: this.#request(task),
      signal: task.cancelled.signal,
      onEvent: (event) => this.#hear(task, event),
      onLog: (text) => {
        const line = logLineIn(text)
        task.note(line, clock.now())
        lines += 1
        if (lines <= MOST_LINES) runLogger[line.level](line.fields, line.message)
        if (lines === MOST_LINES) runLogger.warn({ lines }, 'run says too much: no more of it is logged')
      },
    })
    runLogger.debug({ pid: process.pid }, 'run process started')
    void process.done.then((end) => this.#finish(task, end))
  }

  /** A request that cannot even be handed over is a run that failed, not an agent that ends. */
  #spawn(task: RunTask, options: RunProcessOptions): RunProcess {
    try {
      return startRunProcess(options)
    } catch (thrown) {
      const failure = failureData(thrown)
      this.#hear(task, this.#finishedEvent(task, 'failed', failure))
      return {
        pid: undefined,
        done: Promise.resolve({ result: 'failed', failure, finished: true }),
        cancel: () => undefined,
      }
    }
  }

  #limits(order: RunOrder): RunLimits {
    const named = (policy: PolicyConfig): boolean => order.kind === 'backup' && policy.name === order.policy
    const { timeoutMs, memoryLimitBytes } = order.config.policies.find(named) ?? SHORT_RUN
    const { silentMs, stallMs } = this.#options.patience ?? { silentMs: SILENT_MS, stallMs: STALL_MS }
    return { timeoutMs, memoryLimitBytes, silentMs, stallMs }
  }

  #request({ runId, order }: RunTask): RunRequest {
    const deadRuns = order.kind === 'backup' ? this.#deadRuns.of(order.policy) : []
    return { ...order, runId, ...(deadRuns.length > 0 ? { deadRuns } : {}) }
  }

  #hear(task: RunTask, event: RunEvent): void {
    const { clock, emit } = this.#options
    task.hear(event, clock.now(), clock.monotonicMs())
    emit(event)
    task.onEvent?.(event)
  }

  #finish(task: RunTask, end: RunEnd): void {
    this.#tasks.delete(task.runId)
    this.#history.add({ record: task.record(end, this.#options.clock.now()), journal: task.journal })
    if (task.order.kind === 'backup') this.#deadRuns.note(task.order.policy, task.runId, end)
    task.resolve(end)
    this.#startWaiting()
  }

  #finishedEvent({ runId, subject }: RunTask, result: RunResult, failure: FailureData): RunEvent {
    const { kind, policy } = subject
    const at = this.#options.clock.now().toISOString()
    return {
      type: 'run.finished',
      runId,
      kind,
      ...(policy === undefined ? {} : { policy }),
      at,
      result,
      durationMs: 0,
      failure,
    }
  }

  #count(matches: (task: RunTask) => boolean): number {
    return [...this.#tasks.values()].filter(matches).length
  }
}

/** V8 collects before it takes what the whole process may have; the watchdog counts the rest. */
function withHeapLimit(env: RunProcessOptions['env'], { memoryLimitBytes }: RunLimits): RunProcessOptions['env'] {
  const flag = `--max-old-space-size=${Math.floor(memoryLimitBytes / MIB)}`
  return { ...env, NODE_OPTIONS: [env['NODE_OPTIONS'], flag].filter(Boolean).join(' ') }
}
