import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LoadRequest {
  readonly method?: string
  readonly path: string
  readonly body?: string
}

export interface LoadOptions {
  readonly url: string
  /** Request after request takes the next of these, and begins with the first again. */
  readonly requests: readonly LoadRequest[]
  /** So many are sent at the same moment. */
  readonly atOnce: number
  /** From one volley to the next, or longer where its answers take longer. */
  readonly everyMs: number
  /** Aborted: no volley follows. */
  readonly signal: AbortSignal
}

export interface LoadResult {
  /** By `GET /metrics 200`. */
  readonly answers: ReadonlyMap<string, number>
  /** Requests that got no whole answer, as `GET /metrics ECONNRESET`. */
  readonly broken: readonly string[]
  /** Milliseconds until the whole answer was there, in the order in which they came. */
  readonly times: readonly number[]
}

/** Volleys of requests at once, over as many connections that are kept. Resolves when the last answer is there. */
export async function loadAgent({ url, requests, atOnce, everyMs, signal }: LoadOptions): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  const answers = new Map<string, number>()
  const broken: string[] = []
  const times: number[] = []
  let sent = 0
  async function send(): Promise<void> {
    const one = requests[sent % requests.length]
    sent += 1
    if (!one) return
    const name = `${one.method ?? 'GET'} ${one.path}`
    const startedMs = performance.now()
    try {
      const status = await ask(agent, url, one)
      answers.set(`${name} ${status}`, (answers.get(`${name} ${status}`) ?? 0) + 1)
      times.push(performance.now() - startedMs)
    } catch (error) {
      broken.push(`${name} ${error instanceof Error && 'code' in error ? error.code : error}`)
    }
  }
  while (!signal.aborted) {
    const next = sleep(everyMs, undefined, { signal }).catch(() => undefined)
    await Promise.all(Array.from({ length: atOnce }, send))
    await next
  }
  agent.destroy()
  return { answers, broken, times }
}

function ask(agent: Agent, url: string, { method = 'GET', path, body }: LoadRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    request(`${url}${path}`, { agent, method }, (response) => {
      response.resume()
      response.once('end', () => resolve(response.statusCode ?? 0)).once('error', reject)
    })
      .once('error', reject)
      .end(body)
  })
}
