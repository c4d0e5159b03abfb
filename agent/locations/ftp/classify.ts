import { FTPError } from 'basic-ftp'
import type { ErrorCode } from '../../core/errors.ts'
import { errnoOf, Failure, isAbort, toFailure } from '../../core/errors.ts'
import { MASK } from '../../core/secret.ts'
import { networkFailure } from '../classify-network.ts'

interface Verdict {
  readonly code: ErrorCode
  readonly hint?: string
  readonly retryable?: boolean
}

const FULL = /no space|disk (is )?full|quota|insufficient storage|not enough (space|storage)|writing to local file/i
const TLS_WANTED = /\b(tls|ssl|encrypt\w*|cleartext)\b/i
const DENIED = /denied|not permitted|permission|not allowed|read-?only|prohibited|forbidden/i
const MISSING = /no such|not found|not exist|cannot find|can't find/i

const FULL_VERDICT: Verdict = { code: 'no_space', hint: 'Make room on the server, or shorten retention_period.' }
const RIGHTS_HINT = 'Let the FTP user read, write, rename and delete in the directory.'
const OOPS_HINT = 'vsftpd ended the session by itself: what it says, and its log, tell why.'
const PASSIVE_HINT = 'Check that the passive ports of the server are open on the way to it.'

/** What the body of an upload threw, as its `cause`: none of the server's doing. */
export class BodyError extends Error {
  constructor(cause: unknown) {
    super('the body failed', { cause })
    this.name = 'BodyError'
  }
}

/**
 * What an FTP operation rejected with, as a Failure. Replies are RFC 959 and 2228; servers differ in which one they
 * give for what, so the text decides where it is clear. The password is masked, should the server repeat it.
 */
export function ftpFailure(thrown: unknown, doing: string, password: string): Failure {
  if (thrown instanceof BodyError) return toFailure(thrown.cause, doing)
  if (thrown instanceof Failure) return prefixed(thrown, doing)
  if (isAbort(thrown)) return toFailure(thrown, doing)
  if (thrown instanceof FTPError) {
    const text = masked(thrown.message.replaceAll('\n', ' '), password)
    const cause = text === thrown.message ? { cause: thrown } : {}
    return new Failure(`${doing}: the server answered ${text}`, { ...verdict(thrown), ...cause })
  }
  const network = networkFailure(thrown, doing)
  if (network) return network
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const lost = lossReason(text)
  if (lost) return new Failure(`${doing}: ${lost}`, { code: 'unreachable', retryable: true, cause: thrown })
  return toFailure(thrown, doing)
}

/** The connection is gone, and with it every answer that was still to come. */
export function isLost(thrown: unknown): boolean {
  if (thrown instanceof FTPError) return thrown.code === 421 || isLastWord(thrown)
  if (thrown instanceof Failure) return thrown.code === 'unreachable'
  return (
    networkFailure(thrown, '') !== undefined || lossReason(thrown instanceof Error ? thrown.message : '') !== undefined
  )
}

interface Reply {
  readonly code: number
  readonly message: string
}

/** The server does not know the command, or not so (RFC 959, section 4.2.1). */
export function isUnknown(reply: Reply): boolean {
  return reply.code >= 500 && reply.code <= 504 && !isLastWord(reply)
}

/** vsftpd ends a session with it, whatever was asked: when the other process of the session has died, for one. */
export function isLastWord({ code, message }: Reply): boolean {
  return code === 500 && message.startsWith('500 OOPS:')
}

/** The data connection was broken by the other side, whether or not it gave a reason. */
export function isCut(thrown: unknown): boolean {
  if (thrown instanceof FTPError) return thrown.code === 426 || thrown.code === 451
  const code = errnoOf(thrown)
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED'
}

/** basic-ftp gives no codes to what it finds out about a connection itself. */
function lossReason(text: string): string | undefined {
  if (text.includes('Timeout')) return 'no answer in time'
  if (/FIN packet|closed connection|Socket closed|Client is closed|User closed/.test(text)) {
    return 'the connection was closed by the other side'
  }
  return undefined
}

function verdict({ code, message }: FTPError): Verdict {
  if (code === 452 || code === 552 || FULL.test(message)) return FULL_VERDICT
  if (isLastWord({ code, message })) return { code: 'unavailable', retryable: true, hint: OOPS_HINT }
  switch (code) {
    case 421:
      return TLS_WANTED.test(message) ? wantsTls() : { code: 'unavailable', retryable: true }
    case 425:
    case 426:
      return { code: 'unreachable', retryable: true, hint: PASSIVE_HINT }
    case 522:
      return { code: 'unavailable', retryable: true, hint: 'The server insists on TLS for data, as this program does.' }
    case 331:
    case 332:
    case 530:
    case 532:
      if (TLS_WANTED.test(message)) return wantsTls()
      return { code: 'auth', hint: 'Check username and password of the location.' }
    case 500:
    case 501:
    case 502:
    case 503:
    case 504:
      return { code: 'unsupported' }
    case 431:
    case 533:
    case 534:
    case 535:
    case 536:
      return { code: 'unsupported', hint: 'Check tls: the server does not offer it as asked for.' }
  }
  if (code === 550 || code === 553) {
    if (TLS_WANTED.test(message)) return wantsTls()
    if (MISSING.test(message) && !DENIED.test(message)) return { code: 'not_found' }
    // Of many servers no text tells; what is not there was found out before.
    return { code: 'permission', hint: RIGHTS_HINT }
  }
  if (code >= 400 && code < 500) return { code: 'unavailable', retryable: true }
  return { code: 'internal' }
}

function wantsTls(): Verdict {
  return { code: 'config', hint: 'The server takes logins with TLS only: set tls to explicit.' }
}

function prefixed(failure: Failure, doing: string): Failure {
  if (failure.message.startsWith(doing)) return failure
  const { code, retryable, hint } = failure
  const options = { code, retryable, cause: failure, ...(hint === undefined ? {} : { hint }) }
  return new Failure(`${doing}: ${failure.message}`, options)
}

function masked(text: string, password: string): string {
  return password === '' ? text : text.replaceAll(password, MASK)
}
