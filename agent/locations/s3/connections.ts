import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { createSecureContext, getCACertificates, TLSSocket } from 'node:tls'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { S3LocationConfig } from '../../config/config.ts'
import { Failure } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import { FrugalHttpAgent, FrugalHttpsAgent } from './frugal-agents.ts'

const CONNECT_MS = 10 * SECOND_MS

export interface ConnectionsOptions {
  /** PEM text of authorities that are trusted beside those of the system. */
  readonly caCert?: string
  /** `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of it are heeded, in either case. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of the server; requests for credentials may use the other one. */
  readonly scheme: 'http' | 'https'
  /** Cut a request on which no byte moved for so long; 0: never. */
  readonly silenceMs: number
  /** Whole objects are read on them. */
  readonly downloads?: boolean
}

export interface Connections {
  readonly handler: NodeHttpHandler
  /** The variable that names the proxy on the way to the server. */
  readonly proxyVariable?: string
  /** What TLS was agreed on, as a sentence; empty as long as there was none. */
  facts(): readonly string[]
}

/**
 * Connections of our own: with agents of its own the SDK knows no proxy, and opens a connection without our
 * authorities for each body of 2 MiB and more.
 */
export function createConnections(options: ConnectionsOptions): Connections {
  const { caCert, env, scheme, silenceMs, downloads = false } = options
  const [http, https] = [proxyOf(env, 'http'), proxyOf(env, 'https')]
  // One context for all connections: to read the system's authorities for each of them takes milliseconds.
  const trust =
    caCert === undefined
      ? {}
      : { secureContext: createSecureContext({ ca: [...getCACertificates('default'), caCert] }) }
  // A tunnel through a proxy reads its socket itself first.
  const frugal = downloads && http.used === undefined && https.used === undefined
  const [ForHttp, ForHttps] = frugal ? [FrugalHttpAgent, FrugalHttpsAgent] : [HttpAgent, HttpsAgent]
  const httpsAgent = new ForHttps({ keepAlive: true, proxyEnv: https.variables, ...trust })
  let agreed: string | undefined
  // Told for every connection that goes back to be used again.
  httpsAgent.on('free', (socket: unknown) => {
    if (agreed === undefined && socket instanceof TLSSocket) agreed = describeTls(socket)
  })
  const handler = new NodeHttpHandler({
    connectionTimeout: CONNECT_MS,
    socketTimeout: silenceMs,
    httpAgent: new ForHttp({ keepAlive: true, proxyEnv: http.variables }),
    httpsAgent,
  })
  const proxyVariable = (scheme === 'https' ? https : http).used
  return {
    handler,
    ...(proxyVariable === undefined ? {} : { proxyVariable }),
    facts: () => (agreed === undefined ? [] : [agreed]),
  }
}

function describeTls(socket: TLSSocket): string {
  const { subject, valid_to: until } = socket.getPeerCertificate()
  const end = new Date(until)
  const days = Number.isNaN(end.getTime()) ? '' : ` until ${end.toISOString().slice(0, 10)}`
  return `${socket.getProtocol() ?? 'TLS'}, certificate of ${subject?.CN ?? 'the server'} good${days}`
}

export function schemeOf({ s3Url }: Pick<S3LocationConfig, 's3Url'>): 'http' | 'https' {
  return s3Url?.startsWith('http:') ? 'http' : 'https'
}

/** What to check where a server cannot be reached, for a person. */
export function unreachableHint({ s3Url }: S3LocationConfig, { proxyVariable }: Connections): string {
  if (proxyVariable !== undefined) {
    return `Connections go through the proxy that ${proxyVariable} names; what is reached without it belongs into NO_PROXY.`
  }
  if (s3Url === undefined)
    return 'Check region, and that Amazon S3 can be reached from here, through a proxy if need be.'
  const tls = s3Url.startsWith('http:') ? ' Where the server speaks TLS it begins with https://.' : ''
  return `Check s3_url, and that the server can be reached from here.${tls}`
}

interface Proxy {
  readonly variables: Readonly<Record<string, string>>
  /** The variable that is in use, for who asks for `https` or for `http`. */
  readonly used?: string
}

/** As curl reads them: lower case first, and an address without a scheme is that of an http proxy. */
function proxyOf(env: ConnectionsOptions['env'], scheme: 'http' | 'https'): Proxy {
  const variables: Record<string, string> = {}
  const [used] = [`${scheme}_proxy`, `${scheme.toUpperCase()}_PROXY`].filter((name) => env[name])
  const noProxy = env['no_proxy'] || env['NO_PROXY']
  if (used === undefined) return { variables }
  const address = env[used] ?? ''
  const url = URL.parse(address.includes('://') ? address : `http://${address}`)
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new Failure(`${used} is not the address of a proxy`, {
      code: 'config',
      hint: 'It has to look like http://proxy.example.com:3128.',
    })
  }
  variables[used] = url.href
  if (noProxy) variables['NO_PROXY'] = noProxy
  return { variables, used }
}
