import { request } from 'node:https'
import type { PaletteApiConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { errnoOf, Failure, throwIfAborted } from '../core/errors.ts'
import { MINUTE_MS, SECOND_MS } from '../core/units.ts'

/** Whether the agents of a tenant's clusters may be upgraded: `lock` pauses them. */
export type UpgradeSetting = 'lock' | 'unlock'

const PATH = '/v1/spectroclusters/upgrade/settings'
const SILENCE_MS = 20 * SECOND_MS
const FIRST_WAIT_MS = 2 * SECOND_MS
const LONGEST_WAIT_MS = 15 * SECOND_MS
/** Palette answers some minutes after its pods are ready. */
const PATIENCE_MS = 5 * MINUTE_MS

/**
 * The tenant setting "Pause Agent Upgrades" through Palette's API, as its Terraform provider sets it. It belongs to the
 * tenant of the API key: with several tenants it is to be set in each.
 */
export class AgentUpgrades {
  readonly #config: PaletteApiConfig
  readonly #clock: Clock

  constructor(config: PaletteApiConfig, clock: Clock) {
    this.#config = config
    this.#clock = clock
  }

  async read(signal: AbortSignal): Promise<UpgradeSetting> {
    const doing = `asking ${this.#config.host} whether agent upgrades are paused`
    const value = await this.#call('GET', undefined, doing, signal)
    const setting: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'spectroComponents') : ''
    // Never set is not locked.
    return setting === 'lock' ? 'lock' : 'unlock'
  }

  async set(setting: UpgradeSetting, signal: AbortSignal): Promise<void> {
    const doing = `${setting === 'lock' ? 'pausing' : 'resuming'} agent upgrades at ${this.#config.host}`
    await this.#call('POST', { spectroComponents: setting }, doing, signal)
  }

  async #call(method: 'GET' | 'POST', body: object | undefined, doing: string, signal: AbortSignal): Promise<unknown> {
    const begunMs = this.#clock.monotonicMs()
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      throwIfAborted(signal, doing)
      try {
        return await this.#send(method, body, doing, signal)
      } catch (thrown) {
        throwIfAborted(signal, doing)
        const failure = thrown instanceof Failure ? thrown : this.#noAnswer(doing, thrown)
        if (!failure.retryable || this.#clock.monotonicMs() - begunMs > PATIENCE_MS) throw failure
        await this.#clock.sleep(waitMs, { signal }).catch(() => undefined)
      }
    }
  }

  #send(method: string, body: object | undefined, doing: string, signal: AbortSignal): Promise<unknown> {
    const { host, apiKey, ignoreInsecureTlsError } = this.#config
    const payload = body ? JSON.stringify(body) : undefined
    const headers = {
      apikey: apiKey.reveal(),
      accept: 'application/json',
      ...(payload ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) } : {}),
    }
    return new Promise((resolve, reject) => {
      const options = { method, headers, signal, timeout: SILENCE_MS, rejectUnauthorized: !ignoreInsecureTlsError }
      const sent = request(`${host}${PATH}`, options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const status = response.statusCode ?? 0
          if (status < 200 || status > 299) reject(refused(doing, status))
          else resolve(parseJson(Buffer.concat(chunks).toString('utf8')))
        })
      })
      sent.on('timeout', () => sent.destroy(new Error(`it said nothing for ${SILENCE_MS / SECOND_MS} s`)))
      sent.on('error', reject)
      sent.end(payload)
    })
  }

  #noAnswer(doing: string, cause: unknown): Failure {
    const why = cause instanceof Error && cause.message !== '' ? cause.message : (errnoOf(cause) ?? 'no answer')
    const certificate = /certificate|CERT_|SELF_SIGNED/i.test(`${errnoOf(cause)} ${why}`)
    return new Failure(`${doing}: ${why}`, {
      code: 'unreachable',
      retryable: !certificate,
      cause,
      hint: certificate
        ? "Palette's certificate is not trusted here: set provider.palette.ignore_insecure_tls_error, or leave host and api_key out."
        : 'Check provider.palette.host, or leave host and api_key out and pause agent upgrades in the console.',
    })
  }
}

function refused(doing: string, status: number): Failure {
  const message = `${doing}: it answered ${status}`
  if (status === 401 || status === 403) {
    const hint = 'Check provider.palette.api_key: it must be a key of a tenant administrator.'
    return new Failure(message, { code: status === 401 ? 'auth' : 'permission', hint })
  }
  return new Failure(message, { code: 'unavailable', retryable: status === 404 || status === 429 || status >= 500 })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
