import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { Failure } from '../core/errors.ts'
import { MINUTE_MS, SECOND_MS } from '../core/units.ts'
import { answerClientErrors } from './client-errors.ts'
import { boundConnections } from './connections.ts'

export interface HttpServer {
  /** The one that was given, or was chosen for 0. */
  readonly port: number
  /** Takes no more connections, lets answers that are on their way out end, and resolves when no connection is left. */
  close(): Promise<void>
}

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly clock: Clock
}

/** What an answer that is on its way gets when the server closes. */
const CLOSE_GRACE_MS = SECOND_MS

/** What a client gets to send its headers, to send all of its request, and to go on taking what it asked for. */
const HEADERS_MS = 5 * SECOND_MS
const REQUEST_MS = 30 * SECOND_MS
const TAKE_MS = 30 * SECOND_MS
const CONNECTIONS = 512
/** Longer than scrapes are apart: a connection that closes just when it is used again is an error to its client. */
const KEEP_ALIVE_MS = 2 * MINUTE_MS

export async function startServer(
  listener: RequestListener,
  { host, port, clock }: ListenOptions,
): Promise<HttpServer> {
  const server = createServer({
    headersTimeout: HEADERS_MS,
    requestTimeout: REQUEST_MS,
    connectionsCheckingInterval: SECOND_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  })
  boundConnections(server, { most: CONNECTIONS, takeMs: TAKE_MS })
  answerClientErrors(server)
  server.on('request', listener)
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
      const gone = new AbortController()
      server.close()
      const late = clock.sleep(CLOSE_GRACE_MS, { signal: gone.signal }).then(
        () => server.closeAllConnections(),
        () => undefined,
      )
      await closed
      gone.abort()
      await late
    },
  }
}
