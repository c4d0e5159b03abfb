import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BlockList } from 'node:net'
import type { Request, RequestHandler } from 'express'
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
  return async (request, response, next) => {
    const problem =
      tokenFile === undefined ? refuseForeigner(request) : await refuseStranger(request, tokenFile, logger)
    if (!problem) return next()
    if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer realm="palette-backup"')
    sendProblem(response, problem)
  }
}

async function refuseStranger(request: Request, tokenFile: string, logger: Logger): Promise<Problem | undefined> {
  const given = /^Bearer +(\S+) *$/i.exec(request.get('authorization') ?? '')?.[1]
  const wanted = await readToken(tokenFile, logger)
  if (wanted === undefined) {
    return { status: 503, title: 'No token to compare with', detail: 'The token file is empty or cannot be read.' }
  }
  if (given !== undefined && isEqual(given, wanted)) return undefined
  return { status: 401, title: 'A bearer token is needed', detail: 'Send "Authorization: Bearer <token>".' }
}

async function readToken(tokenFile: string, logger: Logger): Promise<string | undefined> {
  try {
    const token = (await readFile(tokenFile, 'utf8')).trim()
    if (token !== '') return token
    logger.error({ tokenFile }, 'token file is empty')
  } catch (thrown) {
    logger.error({ tokenFile, err: thrown }, 'token file cannot be read')
  }
  return undefined
}

/** Digests have one length, so that the time of the comparison tells nothing of the token. */
function isEqual(given: string, wanted: string): boolean {
  return timingSafeEqual(sha256(given), sha256(wanted))
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

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
