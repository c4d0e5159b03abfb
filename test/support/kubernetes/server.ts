import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KubernetesObject } from '../../../agent/kubernetes/object.ts'
import { selfSignedCertificate } from '../mongodb/certificate.ts'
import { Faults } from './faults.ts'
import { isRefusal, type Reply, status } from './status.ts'
import { Store } from './store.ts'
import { parseTarget, type Target } from './target.ts'

export interface KubernetesDouble extends AsyncDisposable {
  readonly url: string
  /** As the kubelet mounts it: `token`, `ca.crt`. */
  readonly directory: string
  readonly store: Store
  readonly faults: Faults
  /** `GET /api/v1/...?...` of every call, in order. */
  readonly calls: readonly string[]
  /** Gives out a new token: the one in `directory` is replaced, the old one is refused from now on. */
  rotateToken(): Promise<void>
  stop(): Promise<void>
}

/**
 * The Kubernetes API as far as the agent speaks it, over TLS, with bearer tokens: objects by name, lists in pages, merge
 * patches, dry runs. Workloads reach their replicas at once. Trusted because the real API server passes the same suite.
 */
export async function startKubernetesDouble(objects: readonly KubernetesObject[] = []): Promise<KubernetesDouble> {
  const directory = await mkdtemp(join(tmpdir(), 'palette-backup-serviceaccount-'))
  const certificate = selfSignedCertificate()
  await writeFile(join(directory, 'ca.crt'), certificate.cert)
  const store = new Store(objects)
  const faults = new Faults()
  const calls: string[] = []
  let token = ''
  const rotateToken = async (): Promise<void> => {
    token = randomBytes(16).toString('hex')
    await writeFile(join(directory, 'token'), `${token}\n`)
  }
  await rotateToken()
  const server = createServer(certificate, (request, response) => {
    calls.push(`${request.method} ${request.url}`)
    void answer(request, response, { store, faults, token: () => token })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close').catch(() => undefined)
    await rm(directory, { recursive: true, force: true })
  }
  return {
    url: `https://127.0.0.1:${address.port}`,
    directory,
    store,
    faults,
    calls,
    rotateToken,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface Serving {
  readonly store: Store
  readonly faults: Faults
  readonly token: () => string
}

async function answer(request: IncomingMessage, response: ServerResponse, serving: Serving): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const target = parseTarget(request.method ?? '', request.url ?? '')
  const fault = serving.faults.next(target)
  if (fault?.kind === 'cut') {
    request.socket.destroy()
    return
  }
  if (fault?.kind === 'silence') return
  const { code, body, headers = {} } = fault?.reply ?? reply(request, target, Buffer.concat(chunks), serving)
  const text = JSON.stringify(body)
  response.writeHead(code, { 'content-type': 'application/json', ...headers })
  response.end(fault?.kind === 'half' ? text.slice(0, text.length / 2) : text)
}

function reply(request: IncomingMessage, target: Target | undefined, body: Buffer, serving: Serving): Reply {
  if (request.headers.authorization !== `Bearer ${serving.token()}`) return status(401, 'Unauthorized', 'Unauthorized')
  const path = request.url ?? ''
  if (path === '/version') return { code: 200, body: { gitVersion: 'v1.36.4' } }
  if (!target) return serving.store.discovery(path) ?? status(404, 'NotFound', `the server has no ${path}`)
  const denied = serving.faults.denied(target)
  if (denied) return denied
  try {
    return serving.store.handle(target, body.length === 0 ? undefined : JSON.parse(body.toString('utf8')))
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown.reply
    throw thrown
  }
}
