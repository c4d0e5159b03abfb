import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { createSecureContext, getCACertificates, TLSSocket } from 'node:tls'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { SECOND_MS } from '../../core/units.ts'

const CONNECT_MS = 10 * SECOND_MS

export interface ConnectionsOptions {
  /** PEM text of authorities that are trusted beside those of the system. */
  readonly caCert?: string
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of it are heeded, in either case. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Cut a request on which no byte moved for so long; 0: never. */
  readonly silenceMs: number
}

export interface Connections {
  readonly handler: NodeHttpHandler
  /** What TLS was agreed on, as a sentence; empty as long as there was none. */
  facts(): readonly string[]
}

/**
 * Connections of our own: with agents of its own the SDK knows no proxy, and opens a connection without our
 * authorities for each body of 2 MiB and more.
 */
export function createConnections({ caCert, env, silenceMs }: ConnectionsOptions): Connections {
  const options = { keepAlive: true, proxyEnv: proxyOf(env) }
  // One context for all connections: to read the system's authorities for each of them takes milliseconds.
  const trust =
    caCert === undefined
      ? {}
      : { secureContext: createSecureContext({ ca: [...getCACertificates('default'), caCert] }) }
  const httpsAgent = new HttpsAgent({ ...options, ...trust })
  let agreed: string | undefined
  // Told for every connection that goes back to be used again.
  httpsAgent.on('free', (socket: unknown) => {
    if (agreed === undefined && socket instanceof TLSSocket) agreed = describeTls(socket)
  })
  const handler = new NodeHttpHandler({
    connectionTimeout: CONNECT_MS,
    socketTimeout: silenceMs,
    httpAgent: new HttpAgent(options),
    httpsAgent,
  })
  return { handler, facts: () => (agreed === undefined ? [] : [agreed]) }
}

function describeTls(socket: TLSSocket): string {
  const { subject, valid_to: until } = socket.getPeerCertificate()
  const end = new Date(until)
  const days = Number.isNaN(end.getTime()) ? '' : ` until ${end.toISOString().slice(0, 10)}`
  return `${socket.getProtocol() ?? 'TLS'}, certificate of ${subject?.CN ?? 'the server'} good${days}`
}

function proxyOf(env: ConnectionsOptions['env']): Record<string, string> {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()])
  const found: Record<string, string> = {}
  for (const name of names) if (env[name]) found[name] = env[name]
  return found
}
