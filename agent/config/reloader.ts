import { resolve } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import { hasErrors } from '../core/diagnostics.ts'
import { toFailure } from '../core/errors.ts'
import type { Config } from './config.ts'
import type { LoadedConfig } from './load.ts'
import { changedLocations, planChanges } from './plan.ts'
import { FileWatcher } from './watcher.ts'

export interface ReloadOutcome {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly outcome: 'applied' | 'unchanged' | 'refused'
  readonly diagnostics: readonly Diagnostic[]
}

export interface ReloaderOptions {
  readonly file: string
  readonly clock: Clock
  /** The configuration in force. */
  readonly initial: Config
  readonly load: () => Promise<LoadedConfig>
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

/** One path for every door: a changed file, a signal and a request all come here, and one after the other. */
export class Reloader {
  readonly #options: ReloaderOptions
  readonly #watcher: FileWatcher
  readonly #stop = new AbortController()
  #current: Config
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: ReloaderOptions) {
    this.#options = options
    this.#current = options.initial
    this.#watcher = new FileWatcher({ clock: options.clock, onChange: async () => void (await this.reload()) })
  }

  async start(): Promise<void> {
    await this.#watcher.start(this.#watched(this.#current.secretFiles))
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
    const { outcome, diagnostics } = await this.#attempt().catch((thrown: unknown) => failed(thrown))
    const report = { at: clock.now().toISOString(), outcome, diagnostics }
    onReport(report)
    return report
  }

  async #attempt(): Promise<Omit<ReloadOutcome, 'at'>> {
    const { load, check, apply } = this.#options
    const { config: next, diagnostics, secretFiles } = await load()
    // Of a refused file, too: what is missing may be the content of a file it names.
    await this.#watcher.watch(this.#watched([...secretFiles, ...this.#current.secretFiles]))
    if (!next) return { outcome: 'refused', diagnostics }
    const plan = planChanges(this.#current, next)
    if (plan.changes.length === 0 && next.digest === this.#current.digest) return { outcome: 'unchanged', diagnostics }
    const found = await check(next, changedLocations(plan), this.#stop.signal)
    const all = [...diagnostics, ...found]
    if (hasErrors(found) || this.#stop.signal.aborted) return { outcome: 'refused', diagnostics: all }
    apply(next)
    this.#current = next
    await this.#watcher.watch(this.#watched(next.secretFiles))
    return { outcome: 'applied', diagnostics: all }
  }

  #watched(secretFiles: readonly string[]): string[] {
    return [...new Set([resolve(this.#options.file), ...secretFiles])]
  }
}

function failed(thrown: unknown): Omit<ReloadOutcome, 'at'> {
  const { message } = toFailure(thrown)
  return {
    outcome: 'refused',
    diagnostics: [{ severity: 'error', summary: 'Reload failed', detail: message }],
  }
}
