import { certificatesOf } from '../config/certificates.ts'
import type { Config } from '../config/config.ts'
import type { ReloadHooks } from '../config/reloader.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import { formatPath } from '../core/diagnostics.ts'
import { createEvents } from '../core/events.ts'
import { SECOND_MS } from '../core/units.ts'
import type { ReloadReport } from '../http/agent-view.ts'
import { createApp } from '../http/app.ts'
import type { HttpServer } from '../http/server.ts'
import { startServer } from '../http/server.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { createMetrics } from '../metrics/metrics.ts'
import type { RunPoolOptions } from '../runs/run-pool.ts'
import { RunPool } from '../runs/run-pool.ts'
import { expectedIntervalMs } from '../schedule/due.ts'
import { Scheduler } from '../schedule/scheduler.ts'
import { BackupStarter } from './agent-backups.ts'
import { CatalogReader } from './agent-catalogs.ts'
import { locationDiagnostics, validateLocations } from './agent-locations.ts'
import { logEvents } from './agent-log.ts'
import { createView } from './agent-view.ts'
import type { CommandContext } from './context.ts'
import { InstallationState } from './installation-state.ts'
import type { LoadedConfig, Reloading } from './reloading.ts'
import { RepeatLimit } from './repeat-limit.ts'
import { RestoresState } from './restores-state.ts'

/** What runs get to stop by themselves when the agent stops. */
const RUN_GRACE_MS = 30 * SECOND_MS

export interface AgentOptions {
  readonly configFile: string
  readonly host: string
  readonly port: number
  readonly tokenFile?: string | undefined
  /** Program and arguments of a run process. */
  readonly runCommand: readonly [string, ...string[]]
  /** How long backups that go on may take to end by themselves when the agent stops; default: no time. */
  readonly drainMs?: number
  readonly patience?: NonNullable<RunPoolOptions['patience']>
  readonly initial: LoadedConfig & { readonly config: Config }
  readonly loadText: (text: string) => Promise<LoadedConfig>
  readonly createReloading: (hooks: ReloadHooks) => Reloading
}

/** Everything that is always up, put together. */
export class Agent {
  readonly #options: AgentOptions
  readonly #context: CommandContext
  readonly #metrics: Metrics
  readonly #pool: RunPool
  readonly #backups: BackupStarter
  readonly #scheduler: Scheduler
  readonly #catalogs: CatalogReader
  readonly #reloading: Reloading
  readonly #installation: InstallationState
  readonly #restores: RestoresState
  readonly #startedAt: Date
  readonly #hurry = new AbortController()
  #config: Config
  #appliedAt: Date
  #expectedMs: ReadonlyMap<string, number> = new Map()
  #lastReload: ReloadReport
  #server: HttpServer | undefined
  #stopped: Promise<void> | undefined

  constructor(options: AgentOptions, context: CommandContext) {
    const { clock, logger, env, toolVersion: version } = context
    this.#options = options
    this.#context = context
    this.#config = options.initial.config
    this.#startedAt = clock.now()
    this.#appliedAt = this.#startedAt
    const { diagnostics } = options.initial
    this.#lastReload = { at: this.#startedAt.toISOString(), outcome: 'applied', diagnostics }
    const events = createEvents((thrown) => logger.error({ err: thrown }, 'subscriber failed'))
    this.#pool = new RunPool({
      command: options.runCommand,
      env,
      graceMs: RUN_GRACE_MS,
      clock,
      logger,
      emit: events.emit,
      ...(options.patience ? { patience: options.patience } : {}),
    })
    this.#scheduler = new Scheduler({
      clock,
      newest: (policy) => this.#newest(policy),
      onDue: (policy, dueAt, why) => this.#backups.onDue(policy, dueAt, why),
      onMissed: (policy, dueAt, count) => this.#backups.onMissed(policy, dueAt, count),
      onJump: (jumpMs) => logger.warn({ jumpMs: Math.round(jumpMs) }, 'clock jumped, or the machine slept'),
    })
    const schedule = {
      nextRun: (policy: string) => this.#scheduler.nextRun(policy),
      expectedIntervalMs: (policy: string) => this.#expectedMs.get(policy) ?? 0,
      lastTick: () => this.#scheduler.lastTick,
      retryAt: (policy: string) => this.#scheduler.retryAt(policy),
      clockJumps: () => this.#scheduler.clockJumps,
    }
    this.#metrics = createMetrics({ clock, version, schedule })
    this.#backups = new BackupStarter({
      pool: this.#pool,
      metrics: this.#metrics,
      logger,
      config: () => this.#config,
      onDied: () => this.#catalogs.refresh(),
    })
    events.subscribe(this.#metrics.onEvent)
    events.subscribe(logEvents(logger, new RepeatLimit(clock)))
    this.#installation = new InstallationState(clock, logger)
    events.subscribe(this.#installation.onEvent)
    this.#restores = new RestoresState(logger)
    events.subscribe(this.#restores.onEvent)
    events.subscribe((event) => {
      if (event.type !== 'run.finished' || event.kind !== 'backup' || event.policy === undefined) return
      this.#scheduler.runEnded(event.policy, { failed: event.result === 'failed' })
    })
    this.#catalogs = new CatalogReader({
      pool: this.#pool,
      clock,
      config: () => this.#config,
      onRead: () => this.#catchUp(),
    })
    this.#reloading = options.createReloading({
      initial: this.#config,
      check: (next, changed, signal) => this.#check(next, changed, signal),
      apply: (next) => {
        this.#apply(next)
        this.#catalogs.refresh()
      },
      onReport: (report) => this.#onReport(report),
    })
  }

  /** Resolves when it listens; rejects, with nothing left running, when it cannot. */
  async start(): Promise<void> {
    const { clock, logger, toolVersion: version } = this.#context
    const { configFile, host, port, tokenFile } = this.#options
    this.#apply(this.#config)
    const view = createView({
      version,
      configFile,
      startedAt: this.#startedAt,
      pool: this.#pool,
      scheduler: this.#scheduler,
      metrics: this.#metrics,
      config: () => this.#config,
      now: () => this.#context.clock.now(),
      installation: () => this.#installation.known,
      unfinishedRestores: () => this.#restores.unfinished,
      appliedAt: () => this.#appliedAt,
      lastReload: () => this.#lastReload,
      isStopping: () => this.#stopped !== undefined,
      loadText: this.#options.loadText,
      reload: () => this.reload(),
      startBackup: (policy) => this.#backups.start(policy),
    })
    this.#server = await startServer(createApp(view, { tokenFile, logger }), { host, port, clock })
    logger.info({ version, host, port: this.#server.port }, 'listening')
    this.#logApplied(this.#lastReload)
    this.#scheduler.start()
    this.#catalogs.start()
    await this.#reloading.start()
  }

  /** Where it listens; 0 before it does. */
  get port(): number {
    return this.#server?.port ?? 0
  }

  reload(): Promise<ReloadReport> {
    return this.#reloading.reload()
  }

  /** Resolves when nothing runs any more: no run process, no timer, no connection. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Lets the runs that still go on while stopping end no more by themselves: they are cancelled. */
  hurry(): void {
    this.#context.logger.warn({ runs: this.#pool.active().length }, 'stopping at once')
    this.#hurry.abort()
  }

  async #stop(): Promise<void> {
    const { logger } = this.#context
    const { drainMs: waitMs = 0 } = this.#options
    logger.info({ runs: this.#pool.active().length, waitMs }, 'stopping')
    await this.#scheduler.stop()
    const drained = this.#pool.drain({ waitMs, hurry: this.#hurry.signal })
    await Promise.all([this.#reloading.stop(), this.#catalogs.stop(), drained])
    await this.#server?.close()
    logger.info('stopped')
  }

  /** Nothing in here can fail or wait: the new configuration is in force everywhere at once. */
  #apply(config: Config): void {
    const now = this.#context.clock.now()
    this.#config = config
    this.#appliedAt = now
    this.#expectedMs = new Map(
      config.policies.map(({ name, schedule }) => [name, expectedIntervalMs(schedule, { from: now })]),
    )
    this.#metrics.onApplied({ ...config, certificates: certificatesOf(config) })
    this.#scheduler.update(config.policies)
  }

  /** A location that was added or changed must be usable, as in the console: save only after validate. */
  async #check(next: Config, changed: readonly string[], signal: AbortSignal): Promise<readonly Diagnostic[]> {
    const names = next.locations
      .filter(({ name, validate }) => validate && changed.includes(name))
      .map(({ name }) => name)
    const reports = await validateLocations(this.#pool, next, names, { permission: 'readwrite', signal })
    return locationDiagnostics(reports)
  }

  #onReport(report: ReloadReport): void {
    const wasRefused = this.#lastReload.outcome === 'refused'
    this.#lastReload = report
    if (report.outcome === 'applied') this.#logApplied(report)
    if (report.outcome === 'unchanged') {
      this.#metrics.onUnchanged()
      const fields = { file: this.#options.configFile, digest: this.#config.digest }
      if (wasRefused) this.#context.logger.info(fields, 'configuration is again the one in force')
    }
    if (report.outcome !== 'refused') return
    this.#metrics.onRefused()
    for (const diagnostic of report.diagnostics) this.#logDiagnostic(diagnostic)
    this.#context.logger.error(
      { file: this.#options.configFile, inForce: this.#config.digest },
      'configuration refused',
    )
  }

  #logApplied({ diagnostics, changes }: ReloadReport): void {
    for (const diagnostic of diagnostics) this.#logDiagnostic(diagnostic)
    const { digest, policies, locations } = this.#config
    const counts = { policies: policies.length, locations: locations.length, ...(changes ? { changes } : {}) }
    this.#context.logger.info({ file: this.#options.configFile, digest, ...counts }, 'configuration applied')
  }

  #logDiagnostic({ severity, summary, detail, path, range }: Diagnostic): void {
    const place = { ...(path ? { path: formatPath(path) } : {}), ...(range ? { line: range.line } : {}) }
    const level = severity === 'error' ? 'error' : 'warn'
    this.#context.logger[level]({ summary, detail, ...place }, `configuration ${severity}`)
  }

  #newest(policy: string): Date | undefined {
    const locations = this.#config.policies.find(({ name }) => name === policy)?.backupLocations ?? []
    return this.#metrics.catalogs.newest(policy, locations)
  }

  /** Only policies of which at least one location told what it holds. */
  #catchUp(): void {
    for (const { name, backupLocations } of this.#config.policies) {
      const isKnown = backupLocations.some((location) => this.#metrics.catalogs.of(name, location).readAt)
      if (isKnown) this.#scheduler.catchUp(name)
    }
  }
}
