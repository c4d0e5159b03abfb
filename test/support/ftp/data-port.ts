import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { SecureContext } from 'node:tls'
import { TLSSocket } from 'node:tls'

export interface DataConnection {
  /** What bytes go through: the raw connection, or TLS over it. */
  readonly stream: Socket | TLSSocket
  /** Undefined without TLS; else whether the session was resumed, or 'failed' for a handshake that did. */
  readonly handshake: Promise<'resumed' | 'new' | 'failed'> | undefined
  /** Cuts it with a TCP reset. */
  reset(): void
}

/** Listens for the one data connection of a transfer. */
export class DataPort {
  readonly port: number
  readonly #server: Server
  readonly #connection = Promise.withResolvers<DataConnection>()
  #raw: Socket | undefined

  private constructor(server: Server, port: number, secure: SecureContext | undefined) {
    this.#server = server
    this.port = port
    this.#connection.promise.catch(() => undefined)
    server.once('connection', (raw: Socket) => {
      this.#raw = raw
      raw.on('error', () => undefined)
      const secured = secure && new TLSSocket(raw, { isServer: true, secureContext: secure })
      secured?.on('error', () => undefined)
      server.close()
      this.#connection.resolve({
        stream: secured ?? raw,
        handshake: secured && handshakeOf(secured),
        reset: () => void raw.resetAndDestroy(),
      })
    })
  }

  static async open(secure: SecureContext | undefined): Promise<DataPort> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the data connection has no port')
    return new DataPort(server, address.port, secure)
  }

  /** The client's connection; waits for it. */
  async connection(): Promise<DataConnection> {
    return await this.#connection.promise
  }

  close(): void {
    this.#server.close()
    this.#raw?.destroy()
    this.#connection.reject(new Error('the session has ended'))
  }
}

function handshakeOf(stream: TLSSocket): Promise<'resumed' | 'new' | 'failed'> {
  return new Promise((resolve) => {
    stream.once('secure', () => resolve(stream.isSessionReused() ? 'resumed' : 'new'))
    stream.once('close', () => resolve('failed'))
  })
}
