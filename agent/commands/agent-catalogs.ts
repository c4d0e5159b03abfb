import type { Config } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { isAbort } from '../core/errors.ts'
import type { RunResult } from '../core/events.ts'
import { MINUTE_MS, SECOND_MS } from '../core/units.ts'
import type { RunPool } from '../runs/run-pool.ts'

const REFRESH_MS = 15 * MINUTE_MS
/** While a location cannot be read: soon at first, then twice as long each time, up to the refresh. */
const FIRST_RETRY_MS = 30 * SECOND_MS

export interface CatalogReaderOptions {
  readonly pool: RunPool
  readonly clock: Clock
  readonly config: () => Config
  /** A catalog run ended; what it could read has been told in events. */
  readonly onRead: () => void
}

/** Reads the catalogs of all locations: at the start, when it is told that something changed, and every 15 minutes. */
export class CatalogReader {
  readonly #options: CatalogReaderOptions
  readonly #stopped = new AbortController()
  #woken = new AbortController()
  #loop: Promise<void> | undefined

  constructor(options: CatalogReaderOptions) {
    this.#options = options
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Reads again now, or once more after a reading that is under way. */
  refresh(): void {
    this.#woken.abort()
  }

  /** A reading that is under way ends with the pool. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { clock, onRead } = this.#options
    const stopped = this.#stopped.signal
    let failures = 0
    while (!stopped.aborted) {
      this.#woken = new AbortController()
      const result = await this.#read()
      if (stopped.aborted) return
      onRead()
      failures = result === 'success' ? 0 : failures + 1
      const waitMs = failures === 0 ? REFRESH_MS : Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), REFRESH_MS)
      try {
        await clock.sleep(waitMs, { signal: AbortSignal.any([stopped, this.#woken.signal]) })
      } catch (thrown) {
        if (!isAbort(thrown)) throw thrown
      }
    }
  }

  async #read(): Promise<RunResult> {
    const config = this.#options.config()
    if (config.policies.length === 0) return 'success'
    try {
      return (await this.#options.pool.submit({ kind: 'catalog', config }).done).result
    } catch {
      // Too many runs wait, or the pool is stopping: there is a next time.
      return 'failed'
    }
  }
}
