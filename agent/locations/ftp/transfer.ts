import { once } from 'node:events'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Client, FTPResponse } from 'basic-ftp'
import { FTPError } from 'basic-ftp'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { Failure } from '../../core/errors.ts'
import { KIB, SECOND_MS } from '../../core/units.ts'
import { abortable, watchSilence } from '../abortable.ts'
import { untilAborted } from './until-aborted.ts'

// What must leave within the limit for silence: a large chunk on a slow line is no silence.
const WRITE_BYTES = 256 * KIB
// A data connection that breaks is mostly the server's doing, and its reply that says why is on its way.
const REASON_MS = 2 * SECOND_MS
// Behind the last byte there may be megabytes in buffers of the network, and servers that scan what they got.
const FINAL_REPLY_FACTOR = 5

export interface TransferOptions {
  readonly clock: Clock
  /** The longest wait for the other side to take or give anything. */
  readonly silenceMs: number
  readonly signal: AbortSignal
}

/** The whole body went out, but the reply to it was lost: whether it was kept must be found out. */
export class UnconfirmedError extends Error {
  readonly sent: number

  constructor(sent: number, cause: unknown) {
    super('the reply to the transfer was lost', { cause })
    this.name = 'UnconfirmedError'
    this.sent = sent
  }
}

/** Sends the command and the body, and waits for the server to confirm; resolves with the bytes sent. */
export async function send(
  client: Client,
  data: Socket,
  command: string,
  body: AsyncIterable<Uint8Array>,
  options: TransferOptions,
): Promise<number> {
  const transfer = new Transfer(client, data, command, options)
  const { clock, silenceMs: limitMs } = options
  const watch = watchSilence({ clock, limitMs, failure: () => silent(limitMs) }, (failure) => transfer.end(failure))
  let sent = 0
  let whole = false
  try {
    watch.waiting(true)
    await transfer.ready()
    watch.waiting(false)
    // Tickets for the next TLS session come in on it.
    data.resume()
    for await (const chunk of abortable(body, transfer.signal)) {
      watch.waiting(true)
      for (let at = 0; at < chunk.length; at += WRITE_BYTES) {
        if (!data.write(chunk.subarray(at, at + WRITE_BYTES))) await once(data, 'drain', { signal: transfer.signal })
      }
      watch.waiting(false)
      sent += chunk.length
    }
    data.end()
    whole = true
    await transfer.finish()
    return sent
  } catch (thrown) {
    const reason = await transfer.reason(thrown)
    throw whole && !(reason instanceof FTPError) && !options.signal.aborted
      ? new UnconfirmedError(sent, reason)
      : reason
  } finally {
    watch.stop()
    transfer.close()
  }
}

/** Sends the command and yields what comes, until the server has closed and confirmed. */
export async function* receive(
  client: Client,
  data: Socket,
  command: string,
  options: TransferOptions,
): AsyncGenerator<Uint8Array> {
  const transfer = new Transfer(client, data, command, options)
  const { clock, silenceMs: limitMs } = options
  try {
    yield* abortable(data, transfer.signal, { clock, limitMs, failure: () => silent(limitMs) })
    await transfer.finish()
  } catch (thrown) {
    throw await transfer.reason(thrown)
  } finally {
    transfer.close()
  }
}

/** One command with its replies, and the data connection beside it: when either ends badly, so does the other. */
class Transfer {
  readonly #client: Client
  readonly #data: Socket
  readonly #options: TransferOptions
  readonly #ended = new AbortController()
  readonly #started = Promise.withResolvers<void>()
  readonly #reply: Promise<FTPResponse>
  /** Aborted when the caller aborts, when the server refuses, and when a connection breaks. */
  readonly signal: AbortSignal

  constructor(client: Client, data: Socket, command: string, options: TransferOptions) {
    this.#client = client
    this.#data = data
    this.#options = options
    this.signal = AbortSignal.any([options.signal, this.#ended.signal])
    data.on('error', (thrown) => this.end(thrown))
    this.#reply = client.ftp.handle(command, (response, task) => {
      if (response instanceof Error) return task.reject(response)
      if (response.code >= 200) return task.resolve(response)
      // A long transfer is silence on the control connection.
      client.ftp.socket.setTimeout(0)
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

  end(reason: unknown): void {
    this.#ended.abort(reason)
  }

  /** Waits for the server to confirm. */
  async finish(): Promise<void> {
    if (!this.#client.closed) this.#client.ftp.socket.setTimeout(this.#options.silenceMs * FINAL_REPLY_FACTOR)
    const { message } = await untilAborted(this.#reply, this.signal)
    // vsftpd, of a folder it may not read: "226 Transfer done (but failed to open directory)."
    if (!/\bfailed\b/i.test(message)) return
    throw new Failure(`the server answered ${message}`, { code: 'permission' })
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
    this.#data.destroy()
    this.#ended.abort()
  }
}

function silent(limitMs: number): Failure {
  return new Failure(`nothing moved on the data connection for ${limitMs / SECOND_MS} seconds`, {
    code: 'unreachable',
    retryable: true,
  })
}
