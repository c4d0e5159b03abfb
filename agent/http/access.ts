import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BlockList } from 'node:net'
import type { Request, RequestHandler } from 'express'
import { errnoOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Problem } from './problem.ts'
import { sendProblem } from './problem.ts'

export interface AccessOptions {
  /** Read at each request, so that a token can be replaced without a restart. */
  readonly tokenFile?: string | undefined
  readonly logger: Logger
}

/** Lets through who knows the token, or, without a token file, who is on the same machine (or behind `kubectl port-forward`). */
export function requireAccess({ tokenFile, logger }: AccessOptions): RequestHandler {
  const token = tokenFile === undefined ? undefined : new TokenFile(tokenFile, logger)
  // Who starts the agent hears of a wrong path, and not who asks first.
  void token?.read()
  return async (request, response, next) => {
    const problem = token ? await refuseStranger(request, token) : refuseForeigner(request)
    if (!problem) return next()
    if (problem.status === 401) response.set('WWW-Authenticate', challenge(request))
    sendProblem(response, problem)
  }
}

async function refuseStranger(request: Request, token: TokenFile): Promise<Problem | undefined> {
  const given = givenToken(request)
  const wanted = await token.read()
  if (wanted === undefined) {
    return { status: 503, title: 'No token to compare with', detail: 'The token file is empty or cannot be read.' }
  }
  if (given !== undefined && isEqual(given, wanted)) return undefined
  return { status: 401, title: 'A bearer token is needed', detail: 'Send "Authorization: Bearer <token>".' }
}

/**
 * The console page takes the token as the password of any user, because a browser can ask for nothing else. Only there:
 * what a browser sends by itself must never start or change anything.
 */
function givenToken(request: Request): string | undefined {
  const header = request.get('authorization') ?? ''
  const bearer = /^Bearer +(\S+) *$/i.exec(header)?.[1]
  if (bearer !== undefined || !isConsole(request)) return bearer
  const basic = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(header)?.[1]
  const pair = Buffer.from(basic ?? '', 'base64').toString('utf8')
  return basic === undefined ? undefined : pair.slice(pair.indexOf(':') + 1)
}

function isConsole({ method, path }: Request): boolean {
  return method === 'GET' && path === '/'
}

function challenge(request: Request): string[] {
  const realm = 'realm="palette-backup"'
  return isConsole(request) ? [`Bearer ${realm}`, `Basic ${realm}, charset="UTF-8"`] : [`Bearer ${realm}`]
}

/** Reads the token each time; says what is wrong with the file once, not at every request. */
class TokenFile {
  readonly #path: string
  readonly #logger: Logger
  #trouble: string | undefined
  /** Readings that have begun, and the last one of them that was told: one that ends late knows less. */
  #begun = 0
  #told = 0

  constructor(path: string, logger: Logger) {
    this.#path = path
    this.#logger = logger
  }

  async read(): Promise<string | undefined> {
    this.#begun += 1
    const reading = this.#begun
    try {
      const token = (await readFile(this.#path, 'utf8')).trim()
      this.#tell(reading, token === '' ? 'is empty' : undefined)
      return token === '' ? undefined : token
    } catch (thrown) {
      this.#tell(reading, `cannot be read (${errnoOf(thrown) ?? 'unknown'})`)
      return undefined
    }
  }

  #tell(reading: number, trouble: string | undefined): void {
    if (reading < this.#told) return
    this.#told = reading
    if (trouble !== undefined && trouble !== this.#trouble) {
      this.#logger.error({ tokenFile: this.#path, trouble, meanwhile: MEANWHILE }, 'token file cannot be used')
    }
    this.#trouble = trouble
  }
}

/** Digests have one length, so that the time of the comparison tells nothing of the token. */
function isEqual(given: string, wanted: string): boolean {
  return timingSafeEqual(sha256(given), sha256(wanted))
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

const MEANWHILE =
  'what needs the token is answered with 503; the file is read at each request, and may come or be filled later'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

const LOCAL_HOST = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/i

function refuseForeigner(request: Request): Problem | undefined {
  if (!isLoopback(request.socket.remoteAddress ?? '')) {
    return {
      status: 403,
      title: 'Only from this machine',
      detail: 'Without a token this is answered to loopback addresses alone. Start the agent with --token-file.',
    }
  }
  // A web page that is open on this machine must not reach the agent through the browser, by whatever name it calls it.
  const origin = request.get('origin')
  const site = request.get('sec-fetch-site')
  const foreign = (origin !== undefined && origin !== `http://${request.get('host')}`) || site === 'cross-site'
  if (foreign || !LOCAL_HOST.test(request.get('host') ?? '')) {
    return {
      status: 403,
      title: 'Not from another site',
      detail: 'Without a token, address the agent as localhost and from no web page. Or start it with --token-file.',
    }
  }
  return undefined
}

function isLoopback(address: string): boolean {
  const ipv4 = address.replace(/^::ffff:/i, '')
  return ipv4.includes(':') ? LOOPBACK.check(ipv4, 'ipv6') : ipv4 !== '' && LOOPBACK.check(ipv4, 'ipv4')
}
