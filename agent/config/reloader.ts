import type { Clock } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import { hasErrors } from '../core/diagnostics.ts'
import { toFailure } from '../core/errors.ts'
import type { Config } from './config.ts'
import type { LoadedConfig } from './load.ts'
import { changedLocations, planChanges, summarizeChanges } from './plan.ts'
import { FileWatcher } from './watcher.ts'

export interface ReloadOutcome {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly outcome: 'applied' | 'unchanged' | 'refused'
  readonly diagnostics: readonly Diagnostic[]
  /** What was applied, or would have been: `+ backup_policy.nightly`. */
  readonly changes?: readonly string[]
}

/** What a reload asks and tells the one who wants it. */
export interface ReloadHooks {
  /** The configuration in force. */
  readonly initial: Config
  /** The last word before a configuration is applied: errors among the diagnostics refuse it. */
  readonly check: (
    next: Config,
    changedLocations: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly Diagnostic[]>
  /** Must not fail. */
  readonly apply: (next: Config) => void
  /** Every outcome, whoever asked for the reload. */
  readonly onReport: (report: ReloadOutcome) => void
}

export interface ReloaderOptions extends ReloadHooks {
  readonly clock: Clock
  /** What it was read from, as `load` tells it. */
  readonly files: ReadonlyMap<string, string>
  readonly load: () => Promise<LoadedConfig>
  /** How often files are looked at where no event tells of a change. */
  readonly pollMs?: number
}

/** One path for every door: a changed file, a signal and a request all come here, and one after the other. */
export class Reloader {
  readonly #options: ReloaderOptions
  readonly #watcher: FileWatcher
  readonly #stop = new AbortController()
  #current: Config
  #files: ReadonlyMap<string, string>
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: ReloaderOptions) {
    this.#options = options
    this.#current = options.initial
    this.#files = options.files
    const { clock, pollMs } = options
    const onChange = async () => void (await this.reload())
    this.#watcher = new FileWatcher({ clock, onChange, ...(pollMs === undefined ? {} : { pollMs }) })
  }

  async start(): Promise<void> {
    await this.#watcher.start(this.#files)
  }

  /** Reads the file now. Resolves with what came of it. */
  reload(): Promise<ReloadOutcome> {
    const result = this.#queue.then(() => this.#reload())
    this.#queue = result.catch(() => undefined)
    return result
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#watcher.stop()
    await this.#queue
  }

  async #reload(): Promise<ReloadOutcome> {
    const { clock, onReport } = this.#options
    const result = await this.#attempt().catch((thrown: unknown) => failed(thrown))
    const report = { at: clock.now().toISOString(), ...result }
    onReport(report)
    return report
  }

  async #attempt(): Promise<Omit<ReloadOutcome, 'at'>> {
    const { load, check, apply } = this.#options
    const { config: next, diagnostics, files } = await load()
    // Of a refused file, too: what is missing may be the content of a file it names.
    await this.#watcher.watch(files, this.#files.keys())
    if (!next) return { outcome: 'refused', diagnostics }
    const plan = planChanges(this.#current, next)
    if (plan.changes.length === 0 && next.digest === this.#current.digest) return { outcome: 'unchanged', diagnostics }
    const changes = summarizeChanges(plan)
    const found = await check(next, changedLocations(plan), this.#stop.signal)
    const all = [...diagnostics, ...found]
    if (hasErrors(found) || this.#stop.signal.aborted) return { outcome: 'refused', diagnostics: all, changes }
    apply(next)
    this.#current = next
    this.#files = files
    await this.#watcher.watch(files)
    return { outcome: 'applied', diagnostics: all, changes }
  }
}

function failed(thrown: unknown): Omit<ReloadOutcome, 'at'> {
  const { message } = toFailure(thrown)
  return {
    outcome: 'refused',
    diagnostics: [{ severity: 'error', summary: 'Reload failed', detail: message }],
  }
}
