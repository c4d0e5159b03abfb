import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { Failure } from '../core/errors.ts'

export interface HttpServer {
  /** The one that was given, or was chosen for 0. */
  readonly port: number
  /** Takes no more connections, ends those that are left, and resolves when none is. */
  close(): Promise<void>
}

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

export async function startServer(listener: RequestListener, { host, port }: ListenOptions): Promise<HttpServer> {
  const server = createServer(listener)
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (thrown) {
    throw new Failure(`listening on ${host}:${port}: ${thrown instanceof Error ? thrown.message : thrown}`, {
      code: 'config',
      hint: 'Choose another one with --host and --port.',
      cause: thrown,
    })
  }
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
