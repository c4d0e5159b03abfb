import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'

/** A moment in the life of a request: it has not reached the server yet, or its answer has not reached the client. */
export interface Moment {
  /** Matched against `METHOD /bucket/key?query`. */
  readonly request: RegExp
  readonly when: 'before' | 'after'
}

export interface HoldingS3Proxy extends AsyncDisposable {
  readonly url: string
  /** Stops the first request that comes to the moment; resolves once it is there. Everything else passes. */
  hold(moment: Moment): Promise<void>
  /** Answers with this to every request from now on that may: undefined lets all through. */
  refuse: ((request: string) => number | undefined) | undefined
}

/** Stands before an S3 server and lets everything through as it is, but for what it is told to hold or to refuse. */
export async function startHoldingS3Proxy(target: string): Promise<HoldingS3Proxy> {
  let holding: (Moment & { readonly reached: () => void }) | undefined
  const reaches = (request: string, when: Moment['when']): boolean => {
    if (holding?.when !== when || !holding.request.test(request)) return false
    holding.reached()
    holding = undefined
    return true
  }
  const server = createServer((incoming, response) => {
    const line = `${incoming.method} ${decodeURIComponent(incoming.url ?? '')}`
    const refused = proxy.refuse?.(line)
    if (refused !== undefined) return void refuseWith(refused, incoming, response)
    if (reaches(line, 'before')) return
    const { method, headers, url = '/' } = incoming
    const upstream = send(`${target}${url}`, { method, headers }, (reply) => {
      if (reaches(line, 'after')) return void reply.resume()
      response.writeHead(reply.statusCode ?? 502, reply.headers)
      reply.pipe(response)
      reply.on('error', () => response.destroy())
    })
    upstream.on('error', () => response.destroy())
    incoming.pipe(upstream)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: HoldingS3Proxy = {
    url: `http://127.0.0.1:${Object(server.address()).port}`,
    refuse: undefined,
    hold(moment) {
      return new Promise((reached) => {
        holding = { ...moment, reached }
      })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
  return proxy
}

/** As S3 does when it is asked too much: the answer does not wait for the body, which is taken and thrown away. */
function refuseWith(status: number, incoming: IncomingMessage, response: ServerResponse): void {
  incoming.resume()
  const text =
    '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(incoming.method === 'HEAD' ? undefined : text)
}
