import type { Clock } from '../core/clock.ts'
import type { FailureData } from '../core/errors.ts'
import { Failure, failureData } from '../core/errors.ts'
import type { Emit, RunEvent, RunKind, RunResult } from '../core/events.ts'
import type { Logger } from '../core/log.ts'
import { DeadRuns } from './dead-runs.ts'
import { relayLog } from './relay-log.ts'
import type { RunOrder, RunRequest } from './request.ts'
import { runEnvironment } from './run-environment.ts'
import type { RunRecord } from './run-history.ts'
import { RunHistory } from './run-history.ts'
import { createRunId } from './run-id.ts'
import type { RunEnd, RunProcess, RunProcessOptions } from './run-process.ts'
import { startRunProcess } from './run-process.ts'

/** Processes at once, for backups and apart from them for short runs: validating must not wait for hours. */
const PROCESSES = 2
/** Runs that wait; more are refused. */
const LONGEST_QUEUE = 64

export interface RunPoolOptions extends Pick<RunProcessOptions, 'command' | 'env' | 'graceMs'> {
  readonly clock: Clock
  readonly logger: Logger
  readonly emit: Emit
  readonly processes?: number
}

export interface SubmittedRun {
  readonly runId: string
  readonly done: Promise<RunEnd>
  cancel(): void
}

/** A run that waits or goes on. */
export interface ActiveRun {
  readonly runId: string
  readonly kind: RunKind
  readonly policy?: string
  readonly location?: string
  readonly state: 'queued' | 'running'
  /** ISO 8601, UTC. */
  readonly since: string
  readonly stage?: string
  readonly bytes?: number
  readonly totalBytes?: number
}

interface Task {
  readonly runId: string
  readonly order: RunOrder
  readonly onEvent: Emit | undefined
  readonly done: Promise<RunEnd>
  readonly resolve: (end: RunEnd) => void
  readonly cancelled: AbortController
  since: Date
  state: 'queued' | 'running'
  progress: { stage?: string; bytes?: number; totalBytes?: number }
}

/** Runs processes: one backup per policy at a time, few at once, and a record of how each ended. */
export class RunPool {
  readonly #options: RunPoolOptions
  readonly #tasks = new Map<string, Task>()
  readonly #history = new RunHistory()
  readonly #deadRuns = new DeadRuns()
  #draining = false

  constructor(options: RunPoolOptions) {
    this.#options = options
  }

  /**
   * Starts a run, or lets it wait for its turn. A backup of a policy that already has one is not started again: ask
   * `backupOf` first. Rejected with `unavailable` while stopping or when too many wait.
   */
  submit(order: RunOrder, onEvent?: Emit): SubmittedRun {
    if (this.#draining)
      throw new Failure(`starting a ${order.kind} run: the agent is stopping`, { code: 'unavailable' })
    if (order.kind === 'backup' && this.backupOf(order.policy)) {
      throw new Failure(`starting a backup of ${order.policy}: one is under way`, { code: 'refused' })
    }
    if (this.#count((task) => task.state === 'queued') >= LONGEST_QUEUE) {
      throw new Failure(`starting a ${order.kind} run: ${LONGEST_QUEUE} runs wait already`, {
        code: 'unavailable',
        retryable: true,
      })
    }
    const { promise: done, resolve } = Promise.withResolvers<RunEnd>()
    const task: Task = {
      runId: createRunId(),
      order,
      onEvent,
      done,
      resolve,
      cancelled: new AbortController(),
      since: this.#options.clock.now(),
      state: 'queued',
      progress: {},
    }
    this.#tasks.set(task.runId, task)
    this.#startWaiting()
    return { runId: task.runId, done, cancel: () => this.#cancel(task) }
  }

  /** The backup of a policy that waits or goes on. */
  backupOf(policy: string): ActiveRun | undefined {
    return this.active().find((run) => run.kind === 'backup' && run.policy === policy)
  }

  active(): readonly ActiveRun[] {
    return [...this.#tasks.values()].map(({ runId, order, state, since, progress }) => ({
      runId,
      ...subjectOf(order),
      state,
      since: since.toISOString(),
      ...progress,
    }))
  }

  history(): readonly RunRecord[] {
    return this.#history.list()
  }

  /** Takes no more runs, cancels all, and resolves when no process is left. */
  async drain(): Promise<void> {
    this.#draining = true
    const tasks = [...this.#tasks.values()]
    for (const task of tasks) this.#cancel(task)
    await Promise.all(tasks.map((task) => task.done))
  }

  #cancel(task: Task): void {
    if (task.state === 'running') {
      task.cancelled.abort()
      return
    }
    if (!this.#tasks.has(task.runId)) return
    const failure = failureData(new Failure(`run ${task.runId} was cancelled before it started`, { code: 'cancelled' }))
    this.#emit(task, this.#finishedEvent(task, 'cancelled', 0, failure))
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

  #start(task: Task): void {
    const { logger, clock, command, env, graceMs } = this.#options
    const { runId, order } = task
    task.state = 'running'
    task.since = clock.now()
    const runLogger = logger.child({ run: runId, ...subjectOf(order) })
    const process = this.#spawn(task, {
      command,
      env: runEnvironment(env, order.config),
      graceMs,
      clock,
      request: this.#request(task),
      signal: task.cancelled.signal,
      onEvent: (event) => this.#emit(task, event),
      onLog: (line) => relayLog(runLogger, line),
    })
    runLogger.debug({ pid: process.pid }, 'run process started')
    void process.done.then((end) => this.#finish(task, end))
  }

  /** A request that cannot even be handed over is a run that failed, not an agent that ends. */
  #spawn(task: Task, options: RunProcessOptions): RunProcess {
    try {
      return startRunProcess(options)
    } catch (thrown) {
      const failure = failureData(thrown)
      this.#emit(task, this.#finishedEvent(task, 'failed', 0, failure))
      return {
        pid: undefined,
        done: Promise.resolve({ result: 'failed', failure, finished: true }),
        cancel: () => undefined,
      }
    }
  }

  #request({ runId, order }: Task): RunRequest {
    const deadRuns = order.kind === 'backup' ? this.#deadRuns.of(order.policy) : []
    return { ...order, runId, ...(deadRuns.length > 0 ? { deadRuns } : {}) }
  }

  #emit(task: Task, event: RunEvent): void {
    if (event.type === 'run.stage') task.progress = { stage: event.stage }
    if (event.type === 'run.progress') {
      const { bytes, totalBytes } = event
      task.progress = { ...task.progress, bytes, ...(totalBytes === undefined ? {} : { totalBytes }) }
    }
    this.#options.emit(event)
    task.onEvent?.(event)
  }

  #finish(task: Task, end: RunEnd): void {
    const { runId, order, since } = task
    this.#tasks.delete(runId)
    this.#history.add({
      runId,
      ...subjectOf(order),
      startedAt: since.toISOString(),
      finishedAt: this.#options.clock.now().toISOString(),
      result: end.result,
      ...(end.failure ? { failure: end.failure } : {}),
    })
    if (order.kind === 'backup') this.#deadRuns.note(order.policy, runId, end)
    task.resolve(end)
    this.#startWaiting()
  }

  #finishedEvent(task: Task, result: RunResult, durationMs: number, failure: FailureData): RunEvent {
    const { runId, order } = task
    const { kind, policy } = subjectOf(order)
    const at = this.#options.clock.now().toISOString()
    return {
      type: 'run.finished',
      runId,
      kind,
      ...(policy === undefined ? {} : { policy }),
      at,
      result,
      durationMs,
      failure,
    }
  }

  #count(matches: (task: Task) => boolean): number {
    return [...this.#tasks.values()].filter(matches).length
  }
}

function subjectOf(order: RunOrder): { kind: RunOrder['kind']; policy?: string; location?: string } {
  switch (order.kind) {
    case 'backup':
      return { kind: order.kind, policy: order.policy }
    case 'validate':
      return { kind: order.kind, location: order.location }
    case 'catalog':
      return { kind: order.kind }
  }
}
