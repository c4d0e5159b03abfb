import type { Clock } from '../core/clock.ts'
import type { Emit } from '../core/events.ts'
import type { Logger } from '../core/log.ts'
import type { Status } from '../http/agent-view.ts'

/** What runs found out about the installation, for `/status`; told in the log only when it changes. */
export class InstallationState {
  readonly #clock: Clock
  readonly #logger: Logger
  #known: Status['installation'] = null

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  get known(): Status['installation'] {
    return this.#known
  }

  readonly onEvent: Emit = (event) => {
    if (event.type !== 'installation.found') return
    const { facts, problems } = event
    const before = this.#known
    this.#known = { at: this.#clock.now().toISOString(), facts, problems }
    if (JSON.stringify(before?.facts) !== JSON.stringify(facts)) {
      this.#logger.info(Object.fromEntries(facts.map(({ name, value }) => [name, value])), 'installation found')
    }
    for (const problem of problems) {
      if (!before?.problems.includes(problem)) this.#logger.warn({ problem }, 'installation not known in full')
    }
  }
}
