import { once } from 'node:events'
import { createServer, request as send } from 'node:http'

export interface DamagingProxy extends AsyncDisposable {
  readonly url: string
  /** While true, a byte of every artifact that is read through it is another one. */
  damaging: boolean
}

/** Stands before an S3 server and lets everything through as it is, until it is told to damage what is read. */
export async function startDamagingProxy(target: string): Promise<DamagingProxy> {
  const server = createServer((request, response) => {
    const { method, headers, url = '/' } = request
    const upstream = send(`${target}${url}`, { method, headers }, (reply) => {
      response.writeHead(reply.statusCode ?? 502, reply.headers)
      let spoil = proxy.damaging && method === 'GET' && url.includes('.archive.zst')
      reply.on('data', (chunk: Buffer) => {
        if (spoil) chunk[chunk.length - 1] = (chunk.at(-1) ?? 0) ^ 0xff
        spoil = false
        response.write(chunk)
      })
      reply.on('end', () => response.end())
      reply.on('error', () => response.destroy())
    })
    upstream.on('error', () => response.destroy())
    request.pipe(upstream)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = {
    url: `http://127.0.0.1:${Object(server.address()).port}`,
    damaging: false,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
  return proxy
}
