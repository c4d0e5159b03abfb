import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { Clock } from '../core/clock.ts'
import { Failure, isAbort, throwIfAborted } from '../core/errors.ts'
import { MIB, SECOND_MS } from '../core/units.ts'
import type { KubernetesAccess } from './access.ts'
import { noAnswer, refusal } from './classify.ts'

/** A connection that says nothing for so long is taken for dead. */
const SILENCE_MS = 30 * SECOND_MS
const ATTEMPTS = 6
const FIRST_WAIT_MS = SECOND_MS / 4
const LONGEST_WAIT_MS = 30 * SECOND_MS
/** One page of a list is at most 50 objects, and etcd takes none above 1.5 MiB. */
const LARGEST_ANSWER = 96 * MIB

/** What a Role would have to allow. */
export interface Rule {
  readonly verb: 'get' | 'list' | 'create' | 'patch'
  readonly group: string
  /** `deployments/scale` */
  readonly resource: string
  readonly namespace: string
  readonly name?: string
}

export interface ApiCall {
  /** For messages: `reading Secret hubble-system/configserversecret`. */
  readonly doing: string
  readonly method: 'GET' | 'POST' | 'PATCH'
  /** From the root, with its query. */
  readonly path: string
  readonly body?: { readonly contentType: string; readonly json: unknown }
  readonly rule?: Rule
  readonly signal: AbortSignal
}

export interface Answer {
  readonly status: number
  /** Parsed JSON; undefined where it was none. */
  readonly body: unknown
}

interface RawAnswer extends Answer {
  readonly retryAfterMs: number | undefined
}

/**
 * Calls of one API server over connections that are kept. A call that was throttled (429, `Retry-After`), met a server
 * that cannot now, or got no answer is made again: every call made here has the same effect twice as once.
 */
export class Transport {
  readonly #access: KubernetesAccess
  readonly #clock: Clock
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 4 })

  constructor(access: KubernetesAccess, clock: Clock) {
    this.#access = access
    this.#clock = clock
  }

  get server(): string {
    return this.#access.server
  }

  /** The answer, whatever its status below 400 or in `accepted`; everything else rejects with a Failure. */
  async call(call: ApiCall, accepted: readonly number[] = []): Promise<Answer> {
    let waitMs = FIRST_WAIT_MS
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(call.signal, call.doing)
      const outcome = await this.#attempt(call)
      const answer = outcome instanceof Failure ? undefined : outcome
      if (answer && (answer.status < 400 || accepted.includes(answer.status))) return answer
      const failure = answer ? refusal(call, answer.status, answer.body) : outcome
      if (!(failure instanceof Failure)) throw new Error('an answer is either good or a failure')
      // A conflict is the caller's to resolve: it must look at the object again.
      if (!failure.retryable || answer?.status === 409 || attempt === ATTEMPTS) throw failure
      const askedMs = answer?.retryAfterMs
      if (askedMs !== undefined && askedMs > LONGEST_WAIT_MS) throw failure
      await this.#wait(Math.max(askedMs ?? 0, waitMs), call)
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #wait(ms: number, { signal, doing }: ApiCall): Promise<void> {
    try {
      await this.#clock.sleep(ms, { signal })
    } catch (thrown) {
      throwIfAborted(signal, doing)
      throw thrown
    }
  }

  async #attempt(call: ApiCall): Promise<RawAnswer | Failure> {
    const { token, caCert } = await this.#access.credentials()
    try {
      return await this.#send(call, token.reveal(), caCert)
    } catch (thrown) {
      if (call.signal.aborted || isAbort(thrown)) throwIfAborted(call.signal, call.doing)
      if (thrown instanceof Failure) return thrown
      return noAnswer(call.doing, this.server, thrown)
    }
  }

  #send({ method, path, body, signal, doing }: ApiCall, token: string, ca: string): Promise<RawAnswer> {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body.json))
    const headers = {
      accept: 'application/json',
      authorization: `Bearer ${token}`,
      'user-agent': 'palette-backup',
      ...(body && payload ? { 'content-type': body.contentType, 'content-length': payload.length } : {}),
    }
    return new Promise((resolve, reject) => {
      const options = { method, headers, ca, agent: this.#agent, signal, timeout: SILENCE_MS }
      const sent = request(`${this.server}${path}`, options, (response) => {
        readAnswer(response, doing).then(resolve, reject)
      })
      sent.on('timeout', () => sent.destroy(new Error(`it said nothing for ${SILENCE_MS / SECOND_MS} s`)))
      sent.on('error', reject)
      sent.end(payload)
    })
  }
}

async function readAnswer(response: IncomingMessage, doing: string): Promise<RawAnswer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    size += chunk.length
    if (size > LARGEST_ANSWER) {
      response.destroy()
      throw new Failure(`${doing}: the answer is larger than ${LARGEST_ANSWER / MIB} MiB`, { code: 'unsupported' })
    }
    chunks.push(chunk)
  }
  const status = response.statusCode ?? 0
  const body = parseJson(Buffer.concat(chunks).toString('utf8'))
  if (status < 400 && body === undefined) {
    // An answer cut short, or one of something that is not an API server.
    throw new Error(`what it answered (${status}) is not JSON`)
  }
  return { status, body, retryAfterMs: retryAfter(response.headers['retry-after']) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The API server sends seconds. */
function retryAfter(header: string | undefined): number | undefined {
  const seconds = Number(header)
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * SECOND_MS : undefined
}
