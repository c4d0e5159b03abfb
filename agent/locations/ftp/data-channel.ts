import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import type { Client, FTPResponse } from 'basic-ftp'
import { FTPError } from 'basic-ftp'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { Failure } from '../../core/errors.ts'

export interface DataOptions {
  readonly clock: Clock
  readonly silenceMs: number
  readonly signal: AbortSignal
  /** Ask for PASV at once: the server is known to refuse EPSV. */
  readonly pasvOnly: boolean
}

export interface DataChannel {
  readonly socket: Socket
  /** The server refused EPSV. */
  readonly pasvOnly: boolean
}

/**
 * A connection for one transfer, in passive mode (RFC 959, RFC 2428). The library's own transfers close the control
 * connection as soon as this one breaks, and lose the reply that says why: a full disk would look like a bad network.
 * Always goes to the host of the control connection: servers behind NAT give addresses that lead nowhere, hostile ones
 * addresses of others.
 */
export async function openDataChannel(client: Client, options: DataOptions): Promise<DataChannel> {
  const { port, pasvOnly } = await passivePort(client, options.pasvOnly)
  const host = client.ftp.socket.remoteAddress
  if (host === undefined) throw new Error('Server closed connection')
  const late = (): Failure =>
    new Failure(`no connection to port ${port} of the server, which it opened for the data, in time`, {
      code: 'unreachable',
      retryable: true,
      hint: 'Check that the passive ports of the server are open on the way to it.',
    })
  const raw = connect({ host, port })
  // Whoever uses the socket sees 'close'; an error that nobody listens to ends the process.
  raw.on('error', () => undefined)
  try {
    await withTimeout(options.clock, options.silenceMs, options.signal, late, (signal) =>
      once(raw, 'connect', { signal }),
    )
  } catch (thrown) {
    raw.destroy()
    throw thrown
  }
  return { socket: client.ftp.socket instanceof TLSSocket ? secured(client, client.ftp.socket, raw) : raw, pasvOnly }
}

async function passivePort(client: Client, pasvOnly: boolean): Promise<{ port: number; pasvOnly: boolean }> {
  if (!pasvOnly) {
    const reply = await client.sendIgnoringError('EPSV')
    const port = Number(/\((\D)\1\1(\d+)\1\)/.exec(reply.message)?.[2])
    if (reply.code === 229 && port > 0) return { port, pasvOnly }
    if (reply.code < 500) throw unusable(reply)
  }
  const reply = await client.sendIgnoringError('PASV')
  const [, high, low] = /\d+,\d+,\d+,\d+,(\d+),(\d+)/.exec(reply.message) ?? []
  if (reply.code !== 227 || high === undefined || low === undefined) throw unusable(reply)
  return { port: Number(high) * 256 + Number(low), pasvOnly: true }
}

function unusable(reply: FTPResponse): FTPError {
  return new FTPError(reply)
}

/**
 * Resumes the TLS session of the control connection, without which vsftpd and proftpd refuse the transfer. With TLS 1.3
 * a ticket serves once, so the latest is kept. `tlsOptions` carry the host: Node resumes for the same host only.
 */
function secured(client: Client, control: TLSSocket, raw: Socket): TLSSocket {
  const session = client.ftp.tlsSessionStore ?? control.getSession()
  const socket = connectTls({ ...client.ftp.tlsOptions, socket: raw, ...(session ? { session } : {}) })
  socket.on('session', (latest) => {
    client.ftp.tlsSessionStore = latest
  })
  return socket
}
