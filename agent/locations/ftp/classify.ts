import { FTPError } from 'basic-ftp'
import type { ErrorCode } from '../../core/errors.ts'
import { Failure, isAbort, toFailure } from '../../core/errors.ts'
import { MASK } from '../../core/secret.ts'
import { networkFailure } from '../classify-network.ts'

export interface Refusal {
  /** What a 5xx reply to the command means when neither its code nor its text tells. */
  readonly otherwise?: ErrorCode
  /** Never to be shown, should a server repeat it in a reply. */
  readonly password: string
}

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
const WRITE_HINT = 'Let the FTP user write, rename and delete in the directory.'
const PASSIVE_HINT = 'Check that the passive ports of the server are open on the way to it.'

/**
 * What an FTP operation rejected with, as a Failure. Replies are RFC 959 and 2228; servers differ in which one they
 * give for what, so the text decides where it is clear.
 */
export function ftpFailure(thrown: unknown, doing: string, { otherwise = 'internal', password }: Refusal): Failure {
  if (thrown instanceof Failure) return thrown
  if (isAbort(thrown)) return toFailure(thrown, doing)
  if (thrown instanceof FTPError) {
    const text = masked(thrown.message.replaceAll('\n', ' '), password)
    const cause = text === thrown.message ? { cause: thrown } : {}
    return new Failure(`${doing}: the server answered ${text}`, { ...verdict(thrown, otherwise), ...cause })
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
  if (thrown instanceof FTPError) return thrown.code === 421
  if (thrown instanceof Failure) return thrown.code === 'unreachable'
  return (
    networkFailure(thrown, '') !== undefined || lossReason(thrown instanceof Error ? thrown.message : '') !== undefined
  )
}

/** basic-ftp gives no codes to what it finds out about a connection itself. */
function lossReason(text: string): string | undefined {
  if (text.includes('Timeout')) return 'no answer in time'
  if (/FIN packet|closed connection|Socket closed|Client is closed|User closed/.test(text)) {
    return 'the connection was closed by the other side'
  }
  return undefined
}

function verdict({ code, message }: FTPError, otherwise: ErrorCode): Verdict {
  if (code === 452 || code === 552 || FULL.test(message)) return FULL_VERDICT
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
    if (DENIED.test(message)) return { code: 'permission', hint: WRITE_HINT }
    if (MISSING.test(message)) return { code: 'not_found' }
    return otherwise === 'permission' ? { code: otherwise, hint: WRITE_HINT } : { code: otherwise }
  }
  if (code >= 400 && code < 500) return { code: 'unavailable', retryable: true }
  return { code: otherwise }
}

function wantsTls(): Verdict {
  return { code: 'config', hint: 'The server takes logins with TLS only: set tls to explicit.' }
}

function masked(text: string, password: string): string {
  return password === '' ? text : text.replaceAll(password, MASK)
}
