import { once } from 'node:events'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Client, FTPResponse } from 'basic-ftp'
import { FTPError } from 'basic-ftp'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { Failure } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import { KeepAlive } from './keep-alive.ts'
import { untilAborted } from './until-aborted.ts'

// A data connection that breaks is mostly the server's doing, and its reply that says why is on its way.
const REASON_MS = 2 * SECOND_MS
// Behind the last byte there may be megabytes in buffers of the network, and servers that scan what they got.
const FINAL_REPLY_FACTOR = 5

/** While the system takes some, the next is fetched. */
export const MOST_ON_THEIR_WAY = 3

export interface TransferOptions {
  readonly clock: Clock
  /** The longest wait for the other side to take or give anything. */
  readonly silenceMs: number
  /** How often the control connection is used during a transfer. */
  readonly keepAliveMs: number
  readonly signal: AbortSignal
}

/** One command with its replies, and the data connection beside it: when either ends badly, so does the other. */
export class Exchange {
  readonly #client: Client
  readonly #data: Socket
  readonly #options: TransferOptions
  readonly #ended = new AbortController()
  readonly #started = Promise.withResolvers<void>()
  readonly #reply: Promise<FTPResponse>
  readonly #keepAlive: KeepAlive
  #onTheirWay = 0
  #taken: () => void = () => undefined
  #interrupt: (reason: unknown) => void = () => undefined
  /** Aborted when the caller aborts, when the server refuses, and when a connection breaks. */
  readonly signal: AbortSignal

  constructor(client: Client, data: Socket, command: string, options: TransferOptions) {
    this.#client = client
    this.#data = data
    this.#options = options
    this.signal = AbortSignal.any([options.signal, this.#ended.signal])
    this.signal.addEventListener('abort', () => this.#interrupt(this.signal.reason), { once: true })
    this.#keepAlive = new KeepAlive(client, options)
    data.on('error', (thrown) => this.end(thrown))
    this.#reply = client.ftp.handle(command, (response, task) => {
      if (this.#keepAlive.takes(response)) return
      if (response instanceof Error) return task.reject(response)
      if (response.code >= 200) return this.#keepAlive.end(() => task.resolve(response))
      // A long transfer is silence on the control connection.
      client.ftp.socket.setTimeout(0)
      this.#keepAlive.start()
      this.#started.resolve()
    })
    this.#reply.then(
      () => this.#started.resolve(),
      (thrown: unknown) => this.end(thrown),
    )
  }

  /** Resolves when the server waits for data, and the data connection is as secure as the control connection. */
  async ready(): Promise<void> {
    await untilAborted(this.#started.promise, this.signal)
    const data = this.#data
    if (data instanceof TLSSocket && !data.authorized) await once(data, 'secureConnect', { signal: this.signal })
  }

  /**
   * Resolves when another piece may be written. The bytes must not change before the system has taken them, which it has
   * when MOST_ON_THEIR_WAY later ones are written, or when `written` says so.
   */
  async write(piece: Uint8Array): Promise<void> {
    this.#onTheirWay += 1
    this.#data.write(piece, (thrown) => {
      this.#onTheirWay -= 1
      if (thrown) this.#interrupt(thrown)
      this.#taken()
    })
    await this.#untilAtMost(MOST_ON_THEIR_WAY)
  }

  /** Resolves when the system has taken all that was written. */
  written(): Promise<void> {
    return this.#untilAtMost(0)
  }

  #untilAtMost(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject
      this.#taken = () => {
        if (this.#onTheirWay <= count) resolve()
      }
      if (this.signal.aborted) reject(this.signal.reason)
      this.#taken()
    })
  }

  end(reason: unknown): void {
    this.#ended.abort(reason)
  }

  /** Waits for the server to confirm. */
  async finish(): Promise<void> {
    if (!this.#client.closed) this.#client.ftp.socket.setTimeout(this.#options.silenceMs * FINAL_REPLY_FACTOR)
    const { message } = await untilAborted(this.#reply, this.signal)
    // pure-ftpd, of a folder with more names than it shows: "226 Output truncated to 10000 matches".
    if (/\btruncated\b/i.test(message)) {
      throw new Failure(`the server shows only a part of the folder: ${message}`, {
        code: 'unsupported',
        hint: 'Let the server list more files (pure-ftpd: LimitRecursion, or -L), or keep fewer backups.',
      })
    }
    // vsftpd, of a folder it may not read: "226 Transfer done (but failed to open directory)."
    if (/\bfailed\b/i.test(message)) throw new Failure(`the server answered ${message}`, { code: 'permission' })
  }

  /** Why it failed: what the server says, if it says so within a moment; else what was met. */
  async reason(thrown: unknown): Promise<unknown> {
    const { clock, signal } = this.#options
    if (!this.#ended.signal.aborted || signal.aborted) return thrown
    const met: unknown = this.#ended.signal.reason
    this.#data.destroy()
    if (met instanceof Failure) return met
    const late = (): Error => new Error('Timeout')
    try {
      await withTimeout(clock, REASON_MS, signal, late, (limited) => untilAborted(this.#reply, limited))
      return met
    } catch (reply) {
      return reply instanceof FTPError ? reply : met
    }
  }

  close(): void {
    this.#keepAlive.stop()
    this.#data.destroy()
    this.#ended.abort()
  }
}
