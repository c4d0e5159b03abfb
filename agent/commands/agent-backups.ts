import type { Config, PolicyConfig } from '../config/config.ts'
import { failureData } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { StartedBackup } from '../http/agent-view.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { failureFields } from '../runs/event-log.ts'
import type { RunPool } from '../runs/run-pool.ts'
import type { Why } from '../schedule/scheduler.ts'

export interface BackupStarterOptions {
  readonly pool: RunPool
  readonly metrics: Metrics
  readonly logger: Logger
  readonly config: () => Config
  /** The process of a backup died: nobody knows whether it got as far as storing one. */
  readonly onDied: () => void
}

/** Starts backups when they are due or asked for, and accounts for every due time that got none. */
export class BackupStarter {
  readonly #options: BackupStarterOptions

  constructor(options: BackupStarterOptions) {
    this.#options = options
  }

  /** The backup that was started, or that is under way already. */
  start(policy: string): StartedBackup {
    const { pool, config, onDied } = this.#options
    const under = pool.backupOf(policy)
    if (under) return { runId: under.runId, state: under.state, started: false }
    const { runId, done } = pool.submit({ kind: 'backup', policy, config: config() })
    void done.then(({ finished }) => {
      if (!finished) onDied()
    })
    return { runId, state: pool.backupOf(policy)?.state ?? 'running', started: true }
  }

  onDue({ name }: PolicyConfig, dueAt: Date, why: Why): void {
    const { logger } = this.#options
    const due = { policy: name, dueAt: dueAt.toISOString(), why }
    try {
      const { started, runId } = this.start(name)
      if (started) {
        logger.info({ ...due, run: runId }, 'backup due')
        return
      }
      this.#skip(name, dueAt, 1, `run ${runId} of the policy was still under way`)
      logger.warn({ ...due, run: runId }, 'backup skipped: the last one is still under way')
    } catch (thrown) {
      const failure = failureData(thrown)
      this.#skip(name, dueAt, 1, failure.message)
      logger.error({ ...due, ...failureFields(failure) }, 'backup skipped')
    }
  }

  onMissed({ name }: PolicyConfig, dueAt: Date, count: number): void {
    this.#skip(name, dueAt, count, `${count} due times passed while the agent was down, or the machine slept`)
    this.#options.logger.warn({ policy: name, dueAt: dueAt.toISOString(), count }, 'due times missed')
  }

  #skip(policy: string, dueAt: Date, count: number, reason: string): void {
    this.#options.metrics.onSkipped(policy, count)
    this.#options.pool.recordSkipped(policy, dueAt, reason)
  }
}
