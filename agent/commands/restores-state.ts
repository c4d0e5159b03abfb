import type { Emit } from '../core/events.ts'
import type { Logger } from '../core/log.ts'
import type { Status } from '../http/agent-view.ts'

/** Restores that locations have on record as begun and not finished, for `/status`; in the log when they appear. */
export class RestoresState {
  readonly #logger: Logger
  readonly #byLocation = new Map<string, Status['unfinishedRestores']>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get unfinished(): Status['unfinishedRestores'] {
    return [...this.#byLocation.values()].flat()
  }

  readonly onEvent: Emit = (event) => {
    if (event.type !== 'restores.read') return
    const { location, unfinished } = event
    const before = this.#byLocation.get(location) ?? []
    this.#byLocation.set(
      location,
      unfinished.map((restore) => ({ location, ...restore })),
    )
    for (const { target, backupId, stage, startedAt } of unfinished) {
      if (before.some((known) => known.target === target && known.startedAt === startedAt)) continue
      this.#logger.warn({ location, target, backupId, stage, startedAt }, 'a restore is not finished')
    }
  }
}
