import type { ErrorCode, FailureData } from '../core/errors.ts'
import type { RunEvent, RunResult } from '../core/events.ts'

/** `skipped`: a due time came while the policy's last backup was still under way, or nobody was awake. */
export const COUNTED_RESULTS = ['success', 'partial', 'failed', 'cancelled', 'skipped'] as const
export type CountedResult = RunResult | 'skipped'

/** `run`: the whole run, before any stage or because its process died. `other`: a stage that is not listed here. */
export const STAGES = [
  'run',
  'open',
  'prepare',
  'source',
  'read',
  'store',
  'verify',
  'commit',
  'retention',
  'other',
] as const
type FailureStage = (typeof STAGES)[number]

export interface PolicyStatistics {
  readonly runs: Record<CountedResult, number>
  /** By `stage code`. */
  readonly failures: Map<string, number>
  running: boolean
  lastStarted: Date | undefined
  progress: { readonly bytes: number; readonly documents: number }
  consecutiveFailures: number
  lastMemoryBytes: number
  lastBytesPerSecond: number
  lastDurationMs: number
  lastSourceBytes: number
}

export interface PairStatistics {
  /** When the agent first heard of this policy with this location. */
  readonly since: Date
  lastFailure: Date | undefined
}

export interface LocationStatistics {
  /** The last backup or catalog went well. */
  up: boolean
  /** Why not; undefined while the location is up, and before it was used. */
  lastError: (FailureData & { readonly at: Date }) | undefined
}

export interface PolicyLocations {
  readonly name: string
  readonly backupLocations: readonly string[]
}

interface ActiveRun {
  readonly policy: string
  stage: FailureStage
  locationFailed: boolean
}

type Event<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

/** What metrics tell beyond the catalogs, folded from events. Holds exactly the configured policies and locations. */
export class RunStatistics {
  readonly #now: () => Date
  readonly #policies = new Map<string, PolicyStatistics>()
  readonly #pairs = new Map<string, Map<string, PairStatistics>>()
  readonly #locations = new Map<string, LocationStatistics>()
  readonly #active = new Map<string, ActiveRun>()

  constructor(now: () => Date) {
    this.#now = now
  }

  /** Adds what is new, keeps what stays, forgets the rest. */
  configure(policies: readonly PolicyLocations[], locations: readonly string[]): void {
    const pairs = new Map(this.#pairs)
    this.#pairs.clear()
    for (const { name, backupLocations } of policies) {
      if (!this.#policies.has(name)) this.#policies.set(name, noRuns())
      const known = pairs.get(name)
      const fresh = (): PairStatistics => ({ since: this.#now(), lastFailure: undefined })
      this.#pairs.set(name, new Map(backupLocations.map((location) => [location, known?.get(location) ?? fresh()])))
    }
    for (const name of this.#policies.keys()) if (!this.#pairs.has(name)) this.#policies.delete(name)
    for (const name of this.#locations.keys()) if (!locations.includes(name)) this.#locations.delete(name)
    for (const name of locations) {
      if (!this.#locations.has(name)) this.#locations.set(name, { up: false, lastError: undefined })
    }
  }

  policies(): Iterable<readonly [string, PolicyStatistics]> {
    return this.#policies
  }

  *pairs(): Iterable<readonly [policy: string, location: string, PairStatistics]> {
    for (const [policy, locations] of this.#pairs) {
      for (const [location, pair] of locations) yield [policy, location, pair]
    }
  }

  locations(): Iterable<readonly [string, Readonly<LocationStatistics>]> {
    return this.#locations
  }

  location(name: string): Readonly<LocationStatistics> | undefined {
    return this.#locations.get(name)
  }

  onSkipped(policy: string, count: number): void {
    const known = this.#policies.get(policy)
    if (known) known.runs.skipped += count
  }

  onEvent(event: RunEvent): void {
    switch (event.type) {
      case 'run.started':
        if (event.kind === 'backup') this.#onStarted(event)
        break
      case 'run.stage':
        this.#onStage(event)
        break
      case 'run.progress':
        this.#onProgress(event)
        break
      case 'location.stored':
        this.#setUp(event.location)
        break
      case 'location.failed':
        this.#onLocationFailed(event)
        break
      case 'catalog.read':
        this.#setUp(event.location)
        break
      case 'catalog.failed':
        this.#setDown(event.location, event.failure)
        break
      case 'run.finished':
        if (event.kind === 'backup') this.#onFinished(event)
        break
      default:
    }
  }

  #onStarted({ runId, policy = '' }: Event<'run.started'>): void {
    this.#active.set(runId, { policy, stage: 'run', locationFailed: false })
    const known = this.#policies.get(policy)
    if (known) Object.assign(known, { running: true, lastStarted: this.#now(), progress: NO_PROGRESS })
  }

  #onStage({ runId, stage }: Event<'run.stage'>): void {
    const run = this.#active.get(runId)
    if (run) run.stage = toStage(stage)
  }

  #onProgress({ runId, bytes, documents }: Event<'run.progress'>): void {
    const known = this.#policies.get(this.#active.get(runId)?.policy ?? '')
    if (known) known.progress = { bytes, documents }
  }

  #onLocationFailed({ runId, policy, location, stage, failure }: Event<'location.failed'>): void {
    const run = this.#active.get(runId)
    if (run) run.locationFailed = true
    // Somebody stopped the run: no fault of the location, and no failure.
    if (failure.code === 'cancelled') return
    this.#count(policy, toStage(stage), failure.code)
    const pair = this.#pairs.get(policy)?.get(location)
    if (pair) pair.lastFailure = this.#now()
    if (stage !== 'source') this.#setDown(location, failure)
  }

  #onFinished(event: Event<'run.finished'>): void {
    const { runId, policy = '', result, failure } = event
    const run = this.#active.get(runId) ?? { stage: 'run', locationFailed: false }
    this.#active.delete(runId)
    const known = this.#policies.get(policy)
    if (!known) return
    known.runs[result] += 1
    recordEnd(known, event)
    if (result !== 'failed' || run.locationFailed) return
    // The run failed as a whole, before or beside its locations: none of them got its backup.
    this.#count(policy, run.stage, failure?.code ?? 'internal')
    for (const pair of this.#pairs.get(policy)?.values() ?? []) pair.lastFailure = this.#now()
  }

  #count(policy: string, stage: FailureStage, code: ErrorCode): void {
    const failures = this.#policies.get(policy)?.failures
    failures?.set(`${stage} ${code}`, (failures.get(`${stage} ${code}`) ?? 0) + 1)
  }

  #setUp(location: string): void {
    const known = this.#locations.get(location)
    if (known) Object.assign(known, { up: true, lastError: undefined })
  }

  #setDown(location: string, failure: FailureData): void {
    const known = this.#locations.get(location)
    if (!known || failure.code === 'cancelled') return
    known.up = false
    known.lastError = { ...failure, at: this.#now() }
  }
}

const NO_PROGRESS = { bytes: 0, documents: 0 }

function noRuns(): PolicyStatistics {
  return {
    runs: { success: 0, partial: 0, failed: 0, cancelled: 0, skipped: 0 },
    failures: new Map(),
    running: false,
    lastStarted: undefined,
    progress: NO_PROGRESS,
    consecutiveFailures: 0,
    lastDurationMs: 0,
    lastSourceBytes: 0,
    lastBytesPerSecond: 0,
    lastMemoryBytes: 0,
  }
}

function recordEnd(policy: PolicyStatistics, event: Event<'run.finished'>): void {
  const { result, durationMs, sourceBytes = 0, peakMemoryBytes = 0 } = event
  policy.running = false
  policy.progress = NO_PROGRESS
  policy.lastDurationMs = durationMs
  policy.lastMemoryBytes = peakMemoryBytes
  if (result === 'failed') policy.consecutiveFailures += 1
  if (result !== 'success' && result !== 'partial') return
  policy.consecutiveFailures = 0
  policy.lastSourceBytes = sourceBytes
  policy.lastBytesPerSecond = durationMs > 0 ? sourceBytes / (durationMs / 1000) : 0
}

function toStage(stage: string): FailureStage {
  return STAGES.find((known) => known === stage) ?? 'other'
}
