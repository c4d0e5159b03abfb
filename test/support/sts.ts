import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import type { S3Double } from './s3/server.ts'
import { xmlDocument } from './s3/xml.ts'

export interface StsOptions {
  readonly s3: S3Double
  /** How long what is given stays good. Default: an hour. */
  readonly lifeMs?: number
}

export interface StsDouble extends AsyncDisposable {
  readonly url: string
  /** The parameters of every request that was granted, in order. */
  readonly granted: Readonly<Record<string, string>>[]
  /** Refuses everything from now on, with this code. */
  refuse(code: string): void
}

/**
 * Security Token Service on a loopback port, and the endpoint from which a pod gets its identity: temporary keys that
 * the S3 double takes as long as they are good.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
export async function startSts({ s3, lifeMs = 3_600_000 }: StsOptions): Promise<StsDouble> {
  const granted: Record<string, string>[] = []
  let refusal: string | undefined
  const grant = (parameters: Record<string, string>): { id: string; secret: string; token: string; until: string } => {
    granted.push(parameters)
    const [id, secret, token] = [`ASIA${granted.length}`, randomBytes(20).toString('hex'), `token-${granted.length}`]
    const goodUntilMs = Date.now() + lifeMs
    s3.sessions.push({ accessKey: id, secretKey: secret, sessionToken: token, goodUntilMs })
    return { id, secret, token, until: new Date(goodUntilMs).toISOString() }
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const authorization = request.headers.authorization ?? ''
    if (request.method === 'GET') {
      const { id, secret, token, until } = grant({ authorization })
      const given = { AccessKeyId: id, SecretAccessKey: secret, Token: token, Expiration: until }
      return void response.setHeader('Content-Type', 'application/json').end(JSON.stringify(given))
    }
    const parameters = { ...Object.fromEntries(new URLSearchParams(await text(request))), authorization }
    if (refusal !== undefined) {
      const body = xmlDocument('ErrorResponse', { Error: { Type: 'Sender', Code: refusal, Message: 'Refused.' } })
      return void response.writeHead(403, { 'Content-Type': 'text/xml' }).end(body)
    }
    const { id, secret, token, until } = grant(parameters)
    const Credentials = { AccessKeyId: id, SecretAccessKey: secret, SessionToken: token, Expiration: until }
    const action = new Map(Object.entries<string>(parameters)).get('Action') ?? ''
    response.setHeader('Content-Type', 'text/xml')
    response.end(xmlDocument(`${action}Response`, { [`${action}Result`]: { Credentials } }))
  }
  const server = createServer((request, response) => void handle(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    granted,
    refuse(code) {
      refusal = code
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
