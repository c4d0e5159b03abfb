import type { Socket } from 'node:net'
import type { Client } from 'basic-ftp'
import { FTPError } from 'basic-ftp'
import { Failure } from '../../core/errors.ts'
import { MIB, SECOND_MS } from '../../core/units.ts'
import { abortable, watchSilence } from '../abortable.ts'
import { received } from '../received.ts'
import type { TransferOptions } from './exchange.ts'
import { Exchange } from './exchange.ts'

/** A transfer is not gone on with for ever where so many connections in a row bring less than this each. */
export const MEAGRE = { bytes: MIB, connections: 20 } as const

/** The whole body went out, but the reply to it was lost: whether it was kept must be found out. */
export class UnconfirmedError extends Error {
  constructor(cause: unknown) {
    super('the reply to the transfer was lost', { cause })
    this.name = 'UnconfirmedError'
  }
}

/**
 * Sends the command and the body, and waits for the server to confirm. Each piece must leave within the limit, and must
 * not change before MOST_ON_THEIR_WAY later ones were asked for.
 */
export async function send(
  client: Client,
  data: Socket,
  command: string,
  body: AsyncIterable<Uint8Array>,
  options: TransferOptions,
): Promise<void> {
  const exchange = new Exchange(client, data, command, options)
  const { clock, silenceMs: limitMs } = options
  const watch = watchSilence({ clock, limitMs, failure: () => silent(limitMs) }, (failure) => exchange.end(failure))
  let whole = false
  try {
    watch.waiting(true)
    await exchange.ready()
    watch.waiting(false)
    // Tickets for the next TLS session come in on it.
    data.resume()
    for await (const piece of abortable(body, exchange.signal)) {
      watch.waiting(true)
      await exchange.write(piece)
      watch.waiting(false)
    }
    watch.waiting(true)
    await exchange.written()
    watch.waiting(false)
    data.end()
    whole = true
    await exchange.finish()
  } catch (thrown) {
    const reason = await exchange.reason(thrown)
    throw whole && !(reason instanceof FTPError) && !options.signal.aborted ? new UnconfirmedError(reason) : reason
  } finally {
    watch.stop()
    exchange.close()
  }
}

/** Sends the command and yields what comes, until the server has closed and confirmed. */
export async function* receive(
  client: Client,
  data: Socket,
  command: string,
  options: TransferOptions,
): AsyncGenerator<Uint8Array> {
  const exchange = new Exchange(client, data, command, options)
  const { clock, silenceMs: limitMs } = options
  try {
    yield* received(data, exchange.signal, { clock, limitMs, failure: () => silent(limitMs) })
    await exchange.finish()
  } catch (thrown) {
    throw await exchange.reason(thrown)
  } finally {
    exchange.close()
  }
}

function silent(limitMs: number): Failure {
  return new Failure(`nothing moved on the data connection for ${limitMs / SECOND_MS} seconds`, {
    code: 'unreachable',
    retryable: true,
  })
}
