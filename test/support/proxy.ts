import { once } from 'node:events'
import { createServer, request as forward } from 'node:http'
import { connect } from 'node:net'

export interface Proxy extends AsyncDisposable {
  readonly url: string
  /** Where to, for everything that went through it. */
  readonly used: string[]
}

export interface ProxyOptions {
  /** Whatever host is asked for, go to this port of the loopback address. */
  readonly upstreamPort?: number
  /** Let nothing through, and answer with this status. */
  readonly refuse?: number
}

/** A forward proxy on a loopback port: CONNECT for https, absolute addresses for http. */
export async function startProxy({ upstreamPort, refuse }: ProxyOptions = {}): Promise<Proxy> {
  const used: string[] = []
  const server = createServer((incoming, response) => {
    const target = new URL(incoming.url ?? '')
    used.push(target.host)
    if (refuse !== undefined) return void response.writeHead(refuse).end()
    const { method, headers } = incoming
    const place = upstreamPort === undefined ? {} : { hostname: '127.0.0.1', port: upstreamPort }
    const outgoing = forward(target, { ...place, method: method ?? 'GET', headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    incoming.pipe(outgoing)
  })
  server.on('connect', ({ url = '' }, socket) => {
    used.push(url)
    if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} Refused\r\n\r\n`)
    const [host = '', port = ''] = url.split(':')
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    for (const one of [upstream, socket]) one.on('error', () => upstream.destroy() && socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    used,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
