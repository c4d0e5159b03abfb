import { connect as connectTcp, isIP, type OnReadOpts, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { MongoNetworkError, MongoNetworkTimeoutError } from 'mongodb'
// Internals of the driver, pinned by its exact version and guarded by tests.
import { type ConnectionOptions, LEGAL_TCP_SOCKET_OPTIONS, LEGAL_TLS_SOCKET_OPTIONS } from 'mongodb/lib/cmap/connect.js'
import { KIB, MINUTE_MS, SECOND_MS } from '../../../core/units.ts'

/** As the driver: below the 240 s after which cloud load balancers forget a silent connection. */
const KEEP_ALIVE_MS = 2 * MINUTE_MS
const CONNECT_MS = 30 * SECOND_MS
/** What one read of the socket may bring: larger ones save system calls no more. */
const READ_BYTES = 256 * KIB

/** Takes bytes that are valid until it returns; false stops the reading until the socket is resumed. */
export type Receiver = (bytes: Buffer) => boolean

export interface WireSocket {
  /** Connected. An ordinary stream until it is taken over. */
  readonly socket: Socket
  /** From now on what the server sends goes to `receive` and no longer through the stream. */
  takeOver(receive: Receiver): void
}

/**
 * A connected socket whose bytes are read into one buffer of its own and handed on where they lie, instead of in a new
 * piece of memory each time: at hundreds of megabytes a second, making and freeing those costs more than the reading.
 */
export async function openSocket(options: ConnectionOptions, signal: AbortSignal): Promise<WireSocket> {
  const { host, port, socketPath } = options.hostAddress
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  let receiver: Receiver | undefined
  const callback = (length: number): boolean => {
    const bytes = buffer.subarray(0, length)
    if (receiver) return receiver(bytes)
    socket.push(Buffer.from(bytes))
    return true
  }
  const onread: OnReadOpts = { buffer, callback }
  const tcp = {
    ...picked(options, LEGAL_TCP_SOCKET_OPTIONS),
    ...(socketPath === undefined ? { host, port: port ?? 0 } : { path: socketPath }),
    onread,
  }
  const named = host !== undefined && isIP(host) === 0 ? { servername: host } : {}
  const socket = options.tls
    ? connectTls({ ...named, ...tcp, ...picked(options, LEGAL_TLS_SOCKET_OPTIONS) })
    : connectTcp(tcp)
  socket.setKeepAlive(true, options.keepAliveInitialDelay ?? KEEP_ALIVE_MS)
  socket.setNoDelay(true)
  await connected(socket, options, signal)
  return {
    socket,
    takeOver(receive) {
      receiver = receive
    },
  }
}

function connected(socket: Socket, { tls, connectTimeoutMS = CONNECT_MS }: ConnectionOptions, signal: AbortSignal) {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onTimeout = (): void => reject(new MongoNetworkTimeoutError(`no connection within ${connectTimeoutMS} ms`))
  const onAbort = (): void => reject(signal.reason)
  const onError = (cause: Error): void => reject(new MongoNetworkError(cause.message, { cause }))
  const onClose = (): void => reject(new MongoNetworkError('the server closed the connection while it was opened'))
  const done = tls ? 'secureConnect' : 'connect'
  socket.once(done, resolve).once('error', onError).once('close', onClose).once('timeout', onTimeout)
  socket.setTimeout(connectTimeoutMS)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  return promise
    .catch((thrown: unknown) => {
      socket.on('error', () => undefined)
      socket.destroy()
      throw thrown
    })
    .finally(() => {
      signal.removeEventListener('abort', onAbort)
      socket.setTimeout(0)
      socket.off('error', onError).off('close', onClose).off('timeout', onTimeout)
    })
}

function picked(options: ConnectionOptions, names: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined || options[name] === null ? [] : [[name, options[name]]])),
  )
}
