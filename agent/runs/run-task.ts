import type { FailureData } from '../core/errors.ts'
import type { Emit, RunEvent, RunKind } from '../core/events.ts'
import type { LogLine } from './event-log.ts'
import { logLineOf } from './event-log.ts'
import type { RunOrder } from './request.ts'
import type { LocationEnd, RunRecord } from './run-history.ts'
import { RunJournal } from './run-journal.ts'
import type { RunEnd } from './run-process.ts'
import type { ProgressView } from './run-progress.ts'
import { RunProgress } from './run-progress.ts'

/** A run that waits or goes on. */
export interface ActiveRun extends ProgressView {
  readonly runId: string
  readonly kind: RunKind
  readonly policy?: string
  readonly location?: string
  readonly state: 'queued' | 'running'
  /** ISO 8601, UTC. */
  readonly since: string
}

export interface Subject {
  readonly kind: RunOrder['kind']
  readonly policy?: string
  readonly location?: string
}

/** One run from its order to its end, and what was heard of it. */
export class RunTask {
  readonly runId: string
  readonly order: RunOrder
  readonly onEvent: Emit | undefined
  readonly done: Promise<RunEnd>
  readonly resolve: (end: RunEnd) => void
  readonly cancelled = new AbortController()
  readonly journal = new RunJournal()
  readonly #progress = new RunProgress()
  readonly #locations = new Map<string, LocationEnd>()
  readonly #warnings: string[] = []
  #sourceBytes: number | undefined
  #storedBytes: number | undefined
  since: Date
  state: 'queued' | 'running' = 'queued'

  constructor(runId: string, order: RunOrder, since: Date, onEvent: Emit | undefined) {
    const { promise, resolve } = Promise.withResolvers<RunEnd>()
    this.runId = runId
    this.order = order
    this.since = since
    this.onEvent = onEvent
    this.done = promise
    this.resolve = resolve
  }

  get subject(): Subject {
    const { order } = this
    if (order.kind === 'backup') return { kind: order.kind, policy: order.policy }
    if (order.kind === 'validate' && order.location !== undefined) return { kind: order.kind, location: order.location }
    return { kind: order.kind }
  }

  hear(event: RunEvent, now: Date, nowMs: number): void {
    this.#progress.onEvent(event, nowMs)
    const line = logLineOf(event)
    if (line) this.note(line, now)
    if (event.type === 'run.warning' && this.#warnings.length < MOST_WARNINGS) this.#warnings.push(event.message)
    if (event.type === 'location.stored') this.#tell({ location: event.location, backupId: event.backupId })
    if (event.type === 'location.failed') {
      this.#tell({ location: event.location, stage: event.stage, failure: event.failure })
    }
    if (event.type === 'run.finished') {
      this.#sourceBytes = event.sourceBytes
      this.#storedBytes = event.storedBytes
    }
  }

  /** How it ended in a location: a run that reads its source again may end otherwise than at first. */
  #tell(end: LocationEnd): void {
    this.#locations.set(end.location, end)
  }

  note(line: LogLine, now: Date): void {
    this.journal.add(now, line)
  }

  view(): ActiveRun {
    const { runId, state, since } = this
    return { runId, ...this.subject, state, since: since.toISOString(), ...this.#progress.view() }
  }

  record(end: RunEnd, now: Date): RunRecord {
    return {
      runId: this.runId,
      ...this.subject,
      startedAt: this.since.toISOString(),
      finishedAt: now.toISOString(),
      result: end.result,
      ...optional('sourceBytes', this.#sourceBytes),
      ...optional('storedBytes', this.#storedBytes),
      ...optional('peakMemoryBytes', end.peakMemoryBytes),
      ...(this.#locations.size > 0 ? { locations: [...this.#locations.values()] } : {}),
      ...(this.#warnings.length > 0 ? { warnings: this.#warnings } : {}),
      ...optional<'failure', FailureData>('failure', end.failure),
    }
  }
}

const MOST_WARNINGS = 50

function optional<Name extends string, Value>(name: Name, value: Value | undefined): { [Key in Name]?: Value } {
  const found: { [Key in Name]?: Value } = {}
  if (value !== undefined) found[name] = value
  return found
}
