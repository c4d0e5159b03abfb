import { once } from 'node:events'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Certificate } from '../mongodb/certificate.ts'
import { collect } from '../streams.ts'
import { S3Error } from './error.ts'
import type { Effect, Fault } from './faults.ts'
import { Faults } from './faults.ts'
import type { S3Answer, S3Request } from './handlers.ts'
import { HANDLERS } from './handlers.ts'
import type { Lie } from './lies.ts'
import type { Operation } from './operation.ts'
import { ACTION_OF, operationOf, PALETTE_ACTIONS } from './operation.ts'
import type { Quirk } from './quirks.ts'
import { QUIRKS } from './quirks.ts'
import type { AccessKeys } from './signature.ts'
import { verifySignature } from './signature.ts'
import type { StoredObject, Upload } from './store.ts'
import { Store } from './store.ts'
import { errorDocument } from './xml.ts'

export interface S3Options {
  readonly bucket?: string
  readonly region?: string
  readonly accessKey?: string
  readonly secretKey?: string
  /** IAM actions that are allowed. Default: the six of Palette's documented policy. */
  readonly allow?: readonly string[]
  /** Serve https with it. */
  readonly tls?: Certificate
  /** Most keys on one page of a listing. Default: 1000. */
  readonly pageSize?: number
  /** What it does otherwise than Amazon. Default: nothing. */
  readonly quirks?: readonly Quirk[]
  /** What it says and does not do. Default: it is honest. */
  readonly lie?: Lie
  /** How a request with `x-amz-checksum-*` headers is refused, as servers do that do not know them. Default: not. */
  readonly refuseChecksums?: { readonly status: number; readonly code: string }
}

export interface ServedRequest {
  readonly operation: Operation | undefined
  readonly key: string
  readonly status: number
}

/**
 * S3 in memory, on a loopback port: real signatures, path-style addresses, a policy per IAM action, faults on demand.
 * Refuses aws-chunked bodies, as OpenStack Swift does: nothing that needs them works everywhere.
 */
export class S3Double implements AsyncDisposable {
  readonly url: string
  readonly bucket: string
  readonly region: string
  readonly accessKey: string
  readonly secretKey: string
  /** Every request that was answered, in order. */
  readonly requests: ServedRequest[] = []
  /** Temporary credentials, beside the lasting ones. */
  readonly sessions: AccessKeys[] = []
  readonly #options: S3Options
  readonly #store = new Store()
  readonly #faults = new Faults()
  readonly #server: Server

  constructor(server: Server, port: number, options: S3Options) {
    this.#server = server
    this.#options = options
    this.url = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`
    this.bucket = options.bucket ?? 'backups'
    this.region = options.region ?? 'eu-west-1'
    this.accessKey = options.accessKey ?? 'AKIADOUBLE'
    this.secretKey = options.secretKey ?? 'double-secret-key'
  }

  get objects(): Map<string, StoredObject> {
    return this.#store.objects
  }

  get uploads(): Map<string, Upload> {
    return this.#store.uploads
  }

  fail(fault: Fault): void {
    this.#faults.add(fault)
  }

  /** How often an operation was answered. */
  count(operation: Operation): number {
    return this.requests.filter((request) => request.operation === operation).length
  }

  /** Connections that clients hold open. */
  async connections(): Promise<number> {
    return await new Promise((resolve, reject) => {
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count)))
    })
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = message.url ?? '/'
    const [pathname = '/', search = ''] = target.split('?', 2)
    const query = new URLSearchParams(search)
    const { bucket, key } = addressOf(message.headers.host ?? '', pathname)
    const method = message.method ?? 'GET'
    const operation = operationOf(method, key, query)
    const body = await collect(message)
    const part = Number(query.get('partNumber')) || undefined
    const effect = operation && this.#faults.next(operation, part)
    if (effect?.kind === 'stall') return
    if (effect?.kind === 'reset') return void message.socket.resetAndDestroy()
    if (effect?.kind === 'delay') await sleep(effect.ms)
    let answer: S3Answer
    try {
      verifySignature({ method, target, headers: message.headers, body }, [this, ...this.sessions], this.region)
      answer = this.#answer(operation, { bucket, key, query, headers: message.headers, body }, effect)
    } catch (thrown) {
      const first = thrown instanceof S3Error ? thrown : new S3Error(500, 'InternalError', String(thrown))
      const { quirks = [] } = this.#options
      const error = quirks.reduce((changed, quirk) => QUIRKS[quirk].refused?.(changed) ?? changed, first)
      answer = { status: error.status, body: errorDocument(error.code, error.message, pathname) }
    }
    this.requests.push({ operation, key, status: answer.status })
    if (effect?.kind === 'reset-after') return void message.socket.resetAndDestroy()
    send(response, answer, method === 'HEAD', effect)
  }

  #answer(
    operation: Operation | undefined,
    request: Parameters<(typeof HANDLERS)['GetObject']>[0],
    effect: Effect | undefined,
  ): S3Answer {
    const { allow = PALETTE_ACTIONS, pageSize = 1000, refuseChecksums, quirks = [], lie } = this.#options
    if (!operation) throw new S3Error(501, 'NotImplemented', 'This operation is not implemented.')
    if (effect?.kind === 'answer') return effect
    if (effect?.kind === 'refuse') {
      if (effect.body !== undefined) return { status: effect.status, body: effect.body }
      throw new S3Error(effect.status, effect.code)
    }
    if (refuseChecksums && Object.keys(request.headers).some((name) => name.startsWith('x-amz-checksum-'))) {
      throw new S3Error(
        refuseChecksums.status,
        refuseChecksums.code,
        'A header you provided implies functionality that is not implemented',
      )
    }
    if (!allow.includes(ACTION_OF[operation])) throw new S3Error(403, 'AccessDenied', 'Access Denied')
    if (request.bucket !== this.bucket) throw new S3Error(404, 'NoSuchBucket', 'The specified bucket does not exist')
    const mayList = allow.includes(ACTION_OF.ListObjectsV2)
    // S3 does not tell somebody who may not list that an object is not there.
    if (isRead(operation) && !mayList && !this.objects.has(request.key)) throw new S3Error(403, 'AccessDenied')
    for (const quirk of quirks) QUIRKS[quirk].before?.(operation, request)
    const honest = (asked: S3Request): S3Answer => HANDLERS[operation](asked, this.#store, pageSize)
    const answer = lie ? lie(operation, request, honest) : honest(request)
    return quirks.reduce((changed, quirk) => QUIRKS[quirk].after?.(operation, changed) ?? changed, answer)
  }
}

export async function startS3(options: S3Options = {}): Promise<S3Double> {
  let double: S3Double | undefined
  // A request that dies with its client is no fault of the server.
  const listener: RequestListener = (message, response) =>
    void double?.handle(message, response).catch(() => response.destroy())
  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  double = new S3Double(server, address.port, options)
  return double
}

/** The bucket stands in the path, or in front of the host name where that is no address. */
function addressOf(host: string, pathname: string): { bucket: string; key: string } {
  const [, first = '', ...rest] = pathname.split('/').map(decodeURIComponent)
  const [, virtual] = /^([a-z0-9-]+)\.(?!\d)[a-z]/.exec(host) ?? []
  return virtual ? { bucket: virtual, key: [first, ...rest].join('/') } : { bucket: first, key: rest.join('/') }
}

function isRead(operation: Operation): boolean {
  return operation === 'GetObject' || operation === 'HeadObject'
}

function send(response: ServerResponse, answer: S3Answer, headOnly: boolean, effect: Effect | undefined): void {
  const body = Buffer.from(answer.body ?? '')
  const length = headOnly ? {} : { 'Content-Length': body.length }
  response.writeHead(answer.status, { 'x-amz-request-id': 'double', ...length, ...answer.headers })
  if (headOnly) return void response.end()
  if (effect?.kind === 'cut') {
    return void response.write(body.subarray(0, effect.bytes), () => response.socket?.resetAndDestroy())
  }
  if (effect?.kind === 'silence') return void response.write(body.subarray(0, effect.bytes))
  response.end(body)
}
