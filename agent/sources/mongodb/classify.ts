import { MongoError, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb'
import type { ErrorCode } from '../../core/errors.ts'
import { Failure, toFailure } from '../../core/errors.ts'

/** Server error codes, MongoDB manual, "Error Codes". */
const AUTHENTICATION_FAILED = 18
const UNAUTHORIZED = 13
const ATLAS_AUTHENTICATION = 8000
const SNAPSHOT_TOO_OLD = 239

/** The driver's error as one of ours. `doing` names the operation and what it was done to. */
export function mongodbFailure(cause: unknown, doing: string): Failure {
  if (!(cause instanceof MongoError)) return toFailure(cause, doing)
  const { code, hint, retryable } = classify(cause)
  return new Failure(`${doing}: ${reasonOf(cause)}`, {
    code,
    retryable,
    cause,
    ...(hint === undefined ? {} : { hint }),
  })
}

interface Verdict {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly hint?: string
}

function classify(error: MongoError): Verdict {
  const root = error instanceof MongoServerSelectionError ? (error.cause ?? error) : error
  if (isAuthentication(error) || isAuthentication(root)) {
    return {
      code: 'auth',
      retryable: false,
      hint: 'Check user, password and authSource in provider.palette.mongodb.uri.',
    }
  }
  if (error instanceof MongoServerError) return classifyServerError(error)
  if (error instanceof MongoServerSelectionError || error instanceof MongoNetworkError) {
    return {
      code: 'unreachable',
      retryable: true,
      hint: 'Check the hosts and the replica set name in provider.palette.mongodb.uri, TLS, and network policies.',
    }
  }
  if (error.name === 'MongoParseError' || error.name === 'MongoInvalidArgumentError') {
    return { code: 'config', retryable: false, hint: 'Correct provider.palette.mongodb.uri.' }
  }
  return { code: 'unavailable', retryable: true }
}

function classifyServerError(error: MongoServerError): Verdict {
  if (error.code === UNAUTHORIZED) {
    return {
      code: 'permission',
      retryable: false,
      hint: 'Grant the user the built-in roles backup and, to restore, restore.',
    }
  }
  if (error.code === SNAPSHOT_TOO_OLD) return { code: 'snapshot_lost', retryable: true }
  return { code: 'unavailable', retryable: error.hasErrorLabel('RetryableWriteError') }
}

function isAuthentication(error: unknown): boolean {
  return (
    error instanceof MongoServerError && (error.code === AUTHENTICATION_FAILED || error.code === ATLAS_AUTHENTICATION)
  )
}

/** Driver messages name hosts and commands, but a parse error may quote the connection string: never that one. */
function reasonOf(error: MongoError): string {
  if (error.name === 'MongoParseError') return 'the connection string is malformed'
  return error.message === '' ? error.name : error.message
}
