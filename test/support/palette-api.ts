import { once } from 'node:events'
import { createServer } from 'node:https'
import { selfSignedCertificate } from './mongodb/certificate.ts'

export interface PaletteApi extends AsyncDisposable {
  readonly host: string
  /** What the tenant has set. */
  setting: string | undefined
  /** Statuses to answer next instead of doing what was asked. */
  readonly failures: number[]
  readonly calls: readonly string[]
}

/** The one setting of Palette's API that a restore needs; its API key is `tenant-key`. */
export async function startPaletteApi(): Promise<PaletteApi> {
  const calls: string[] = []
  const failures: number[] = []
  const server = createServer(selfSignedCertificate(), async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    calls.push(`${request.method} ${body}`)
    const failure = failures.shift()
    const known = request.headers['apikey'] === 'tenant-key'
    if (failure !== undefined || !known || request.url !== '/v1/spectroclusters/upgrade/settings') {
      response.writeHead(failure ?? (known ? 404 : 401)).end()
    } else if (request.method === 'POST') {
      api.setting = JSON.parse(body).spectroComponents
      response.writeHead(204).end()
    } else {
      response.writeHead(200).end(JSON.stringify({ spectroComponents: api.setting }))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const api: PaletteApi = {
    host: `https://127.0.0.1:${address.port}`,
    setting: 'unlock',
    failures,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return api
}
