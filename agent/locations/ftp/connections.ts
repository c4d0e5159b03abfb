import { SECOND_MS } from '../../core/units.ts'
import type { FtpSettings } from './connection.ts'
import { FtpConnection } from './connection.ts'

const IDLE_MS = 10 * SECOND_MS

/**
 * One connection for each operation that runs. The last one that was used without a fault is kept for a moment, because
 * a login takes a dozen round trips, and several seconds on some servers.
 */
export class FtpConnections {
  readonly #settings: FtpSettings
  readonly #closed = new AbortController()
  #idle: { readonly connection: FtpConnection; readonly taken: AbortController } | undefined

  constructor(settings: FtpSettings) {
    this.#settings = settings
  }

  /** Runs a task with a connection of its own, which is closed at once when the signal is aborted or the task rejects. */
  async use<T>(signal: AbortSignal, task: (connection: FtpConnection) => Promise<T>): Promise<T> {
    const lease = await this.lease(signal)
    try {
      const result = await task(lease.connection)
      lease.giveBack()
      return result
    } finally {
      lease.drop()
    }
  }

  /** A connection until it is given back, or dropped, which after giving back does nothing. */
  async lease(signal: AbortSignal): Promise<Lease> {
    const ended = AbortSignal.any([signal, this.#closed.signal])
    ended.throwIfAborted()
    const connection = (await this.#takeIdle(ended)) ?? (await FtpConnection.open(this.#settings, ended))
    const abort = (): void => connection.close()
    ended.addEventListener('abort', abort, { once: true })
    let over = false
    const end = (keep: boolean): void => {
      if (over) return
      over = true
      ended.removeEventListener('abort', abort)
      if (keep && !ended.aborted) this.#keep(connection)
      else connection.close()
    }
    return { connection, giveBack: () => end(true), drop: () => end(false) }
  }

  /** Ends all connections, also those in use. */
  close(): void {
    this.#closed.abort(new Error('the location was closed'))
    this.#takeOut()?.close()
  }

  async #takeIdle(signal: AbortSignal): Promise<FtpConnection | undefined> {
    const connection = this.#takeOut()
    if (!connection) return undefined
    const abort = (): void => connection.close()
    signal.addEventListener('abort', abort, { once: true })
    try {
      // The server may have ended it meanwhile, without a word.
      await connection.demand('NOOP')
      return connection
    } catch {
      connection.close()
      signal.throwIfAborted()
      return undefined
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  #takeOut(): FtpConnection | undefined {
    const idle = this.#idle
    this.#idle = undefined
    idle?.taken.abort()
    return idle?.connection
  }

  #keep(connection: FtpConnection): void {
    if (this.#idle || !connection.usable) {
      connection.close()
      return
    }
    const taken = new AbortController()
    this.#idle = { connection, taken }
    this.#settings.clock.sleep(IDLE_MS, { signal: taken.signal, unref: true }).then(
      () => this.#takeOut()?.close(),
      () => undefined,
    )
  }
}

export interface Lease {
  readonly connection: FtpConnection
  giveBack(): void
  drop(): void
}
