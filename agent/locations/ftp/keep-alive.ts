import type { Client, FTPResponse } from 'basic-ftp'
import { FTPError } from 'basic-ftp'
import { SECOND_MS } from '../../core/units.ts'
import type { TransferOptions } from './exchange.ts'

// Answers that come after the final reply come with it.
const LATE_MS = 5 * SECOND_MS
/** To a NOOP during a transfer; never the final reply to one that has begun. pure-ftpd answers 500. */
const ANSWERS: ReadonlySet<number> = new Set([200, 500, 501, 502, 503])

/**
 * Sends NOOP on the control connection while a transfer runs: firewalls, proxies and servers forget connections that
 * are silent for minutes, and with them the reply that says whether a backup was kept. Some servers answer at once,
 * some behind the final reply, some never: each answer must be told from the reply to the next command.
 */
export class KeepAlive {
  readonly #client: Client
  readonly #options: TransferOptions
  readonly #stopped = new AbortController()
  #unanswered = 0
  #refused = false
  #drained: (() => void) | undefined

  constructor(client: Client, options: TransferOptions) {
    this.#client = client
    this.#options = options
  }

  start(): void {
    this.#run().catch(() => undefined)
  }

  /** Whether the reply was an answer to a NOOP. */
  takes(reply: FTPResponse | Error): boolean {
    if (this.#drained && reply instanceof Error && !(reply instanceof FTPError)) {
      this.#drained()
      return true
    }
    const code = 'code' in reply ? reply.code : undefined
    if (this.#unanswered === 0 || typeof code !== 'number' || !(this.#drained || ANSWERS.has(code))) return false
    this.#unanswered -= 1
    this.#refused ||= code >= 500
    if (this.#unanswered === 0) this.#drained?.()
    return true
  }

  /** The final reply came: tells so once all answers are in, and gives up a connection on which they do not come. */
  end(done: () => void): void {
    this.stop()
    if (this.#unanswered === 0) {
      done()
      return
    }
    this.#drained = done
    const giveUp = (): void => {
      if (this.#unanswered === 0) return
      done()
      this.#client.close()
    }
    this.#options.clock.sleep(LATE_MS, { unref: true }).then(giveUp, () => undefined)
  }

  stop(): void {
    this.#stopped.abort()
  }

  async #run(): Promise<void> {
    const { clock, keepAliveMs } = this.#options
    while (!this.#refused && !this.#client.closed) {
      await clock.sleep(keepAliveMs, { signal: this.#stopped.signal, unref: true })
      this.#unanswered += 1
      this.#client.ftp.send('NOOP')
    }
  }
}
