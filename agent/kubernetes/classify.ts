import type { ErrorCode } from '../core/errors.ts'
import { errnoOf, Failure } from '../core/errors.ts'
import { textAt } from './object.ts'
import type { ApiCall } from './transport.ts'

/** An answer of the API server that is no success, as a Failure that names what was asked and which rule is missing. */
export function refusal(call: ApiCall, status: number, body: unknown): Failure {
  const message = textAt(body, 'message')
  const { code, retryable, hint } = meaningOf(call, status)
  return new Failure(`${call.doing}: ${sentence(status, message)}`, {
    code,
    retryable,
    ...(hint === undefined ? {} : { hint }),
  })
}

function sentence(status: number, message: string | undefined): string {
  // The server's own words; without them (a proxy answered) the bare number.
  return message === undefined || message === '' ? `the API server answered ${status}` : message
}

interface Meaning {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly hint?: string
}

function meaningOf(call: ApiCall, status: number): Meaning {
  switch (status) {
    case 401:
      return {
        code: 'auth',
        retryable: false,
        hint: 'The ServiceAccount token was refused: it has expired, or belongs to another cluster.',
      }
    case 403:
      return { code: 'permission', retryable: false, hint: missingRule(call) }
    case 404:
      return { code: 'not_found', retryable: false }
    case 409:
      return { code: 'unavailable', retryable: true, hint: 'Somebody else changed the object at the same moment.' }
    case 410:
      return { code: 'unavailable', retryable: true }
    case 400:
    case 405:
    case 415:
    case 422:
      return { code: 'refused', retryable: false }
    default:
      return status === 429 || status >= 500
        ? { code: 'unavailable', retryable: true }
        : { code: 'internal', retryable: false }
  }
}

/** The rule as it would stand in a Role. */
function missingRule({ rule }: ApiCall): string {
  if (!rule) return 'The ServiceAccount may not read this.'
  const { verb, group, resource, namespace, name } = rule
  const names = name === undefined || verb === 'list' || verb === 'create' ? '' : `, resourceNames: ["${name}"]`
  return (
    `Give the ServiceAccount a Role in namespace ${namespace} with the rule ` +
    `{ apiGroups: ["${group}"], resources: ["${resource}"]${names}, verbs: ["${verb}"] }.`
  )
}

/** A call that got no answer at all. */
export function noAnswer(doing: string, server: string, cause: unknown): Failure {
  const errno = errnoOf(cause)
  const why = cause instanceof Error && cause.message !== '' ? cause.message : (errno ?? 'no answer')
  const untrusted = errno !== undefined && CERTIFICATE_ERRORS.has(errno)
  const hint = untrusted
    ? 'The certificate of the API server was not signed by the authority in ca.crt of the ServiceAccount.'
    : 'Check that the API server is up and that a NetworkPolicy lets this pod reach it.'
  return new Failure(`${doing}: no answer from the API server ${server}: ${why}`, {
    code: 'unreachable',
    retryable: !untrusted,
    hint,
    cause,
  })
}

/** OpenSSL's verification errors as Node names them. */
const CERTIFICATE_ERRORS: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_SIGNATURE_FAILURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])
