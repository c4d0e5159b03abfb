import { MongoError, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb'
import type { MongodbConfig, MongodbOrigin } from '../../config/config.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { Failure, toFailure } from '../../core/errors.ts'

/** Server error codes, MongoDB manual, "Error Codes". */
const AUTHENTICATION_FAILED = 18
const UNAUTHORIZED = 13
const ATLAS_AUTHENTICATION = 8000
const SNAPSHOT_TOO_OLD = 239
const OUT_OF_DISK_SPACE = 14031
const CURSOR_NOT_FOUND = 43
const NAMESPACE_NOT_FOUND = 26
const QUERY_PLAN_KILLED = 175
const SNAPSHOT_UNAVAILABLE = 246
/** A collection that was dropped or renamed under a cursor. */
const COLLECTION_GONE: readonly unknown[] = [NAMESPACE_NOT_FOUND, CURSOR_NOT_FOUND, QUERY_PLAN_KILLED]
/** NotWritablePrimary, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary, PrimarySteppedDown, InterruptedAtShutdown, InterruptedDueToReplStateChange, ShutdownInProgress. */
const MEMBER_LOST: readonly unknown[] = [10107, 13435, 13436, 189, 11600, 11602, 91]

export const LONGER_WINDOW =
  'To get one instant, set extend_snapshot_window of the policy to more seconds than the reading takes; max_bytes_per_second makes it longer.'

/** Of a connection string that stands in the file. */
const WRITTEN: MongodbOrigin = {
  account: 'user, password and authSource in provider.palette.mongodb.uri',
  hosts: 'the hosts and the replica set name in provider.palette.mongodb.uri',
}

/** For whatever the driver says about a connection string: its message may quote it, and with it the password. */
export function malformedUri({ origin = WRITTEN }: MongodbConfig, what: string | undefined): Failure {
  const why = what === undefined ? '' : `: ${what}`
  return new Failure(`connecting to MongoDB: the connection string is malformed${why}`, {
    code: 'config',
    hint: `Check ${origin.hosts}. In a connection string, percent-encode special characters of user and password, and check the options behind the question mark.`,
  })
}

/**
 * The driver's error as one of ours. `doing` names the operation and what it was done to; `config`: what was connected
 * with, where that itself may be wrong.
 */
export function mongodbFailure(cause: unknown, doing: string, config?: MongodbConfig): Failure {
  if (cause instanceof Failure) return cause
  if (!(cause instanceof MongoError)) return toFailure(cause, doing)
  const { code, hint, retryable } = classify(cause, config && (config.origin ?? WRITTEN))
  return new Failure(`${doing}: ${reasonOf(cause)}`, {
    code,
    retryable,
    cause,
    ...(hint === undefined ? {} : { hint }),
  })
}

/** Whether the error may mean that the collection is no longer there. */
export function isCollectionGone(thrown: unknown): boolean {
  return thrown instanceof MongoServerError && COLLECTION_GONE.includes(thrown.code)
}

/**
 * An error in the middle of reading. What was read until then came from a member or a catalog that is no more: nothing
 * else may be added to it, but the whole may be read again (`source_changed`).
 */
export function readingFailure(cause: unknown, doing: string): Failure {
  const changed =
    cause instanceof MongoNetworkError ||
    (cause instanceof MongoServerError &&
      [...COLLECTION_GONE, ...MEMBER_LOST, SNAPSHOT_UNAVAILABLE].includes(cause.code))
  if (!changed) return mongodbFailure(cause, doing)
  return new Failure(`${doing}: ${reasonOf(cause)}`, { code: 'source_changed', retryable: true, cause })
}

interface Verdict {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly hint?: string
}

function classify(error: MongoError, origin?: MongodbOrigin): Verdict {
  const root = error instanceof MongoServerSelectionError ? (error.cause ?? error) : error
  if (isAuthentication(error) || isAuthentication(root)) {
    return {
      code: 'auth',
      retryable: false,
      hint: `Check ${origin?.account ?? 'the account that MongoDB is connected to with'}.`,
    }
  }
  if (error instanceof MongoServerError) return classifyServerError(error)
  if (error instanceof MongoServerSelectionError || error instanceof MongoNetworkError) {
    return {
      code: 'unreachable',
      retryable: true,
      hint: `Check ${origin ? `${origin.hosts}; ` : ''}that MongoDB runs, TLS, and network policies.`,
    }
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
  if (error.code === OUT_OF_DISK_SPACE) return { code: 'no_space', retryable: false, hint: 'Make room for MongoDB.' }
  if (error.code === SNAPSHOT_TOO_OLD) return { code: 'snapshot_lost', retryable: true, hint: LONGER_WINDOW }
  return { code: 'unavailable', retryable: error.hasErrorLabel('RetryableWriteError') }
}

function isAuthentication(error: unknown): boolean {
  return (
    error instanceof MongoServerError && (error.code === AUTHENTICATION_FAILED || error.code === ATLAS_AUTHENTICATION)
  )
}

function reasonOf(error: MongoError): string {
  return error.message === '' ? error.name : error.message
}
