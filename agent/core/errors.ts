/**
 * Why something failed, in one word that is stable: metrics and `--json` carry it.
 * - `config`       what the operator wrote is wrong
 * - `auth`         credentials were refused
 * - `permission`   the credentials are known, the right is missing
 * - `not_found`    the named thing (database, bucket, directory, backup) is not there
 * - `unreachable`  no answer: name, network, TLS, time-out
 * - `no_space`     a disk or quota is full
 * - `damaged`      what was read is not what was written
 * - `unsupported`  the other side, or a newer format, needs something this program cannot do
 * - `snapshot_lost` the server no longer has the instant that was being read
 * - `source_changed` the member or the collection that was being read is gone: read again from the start
 * - `cancelled`    somebody asked to stop
 * - `refused`      a safety rule of this program said no
 * - `unavailable`  the other side answered that it cannot now (throttling, 5xx, election)
 * - `limit`        a limit of the run was reached: its time, or how long nothing may move
 * - `out_of_memory` the run needed more memory than its policy, its container or the machine has for it
 * - `internal`     anything else: a defect of this program until shown otherwise
 */
export const ERROR_CODES = [
  'config',
  'auth',
  'permission',
  'not_found',
  'unreachable',
  'no_space',
  'damaged',
  'unsupported',
  'snapshot_lost',
  'source_changed',
  'cancelled',
  'refused',
  'unavailable',
  'limit',
  'out_of_memory',
  'internal',
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

export interface FailureOptions {
  readonly code: ErrorCode
  /** The same call may succeed when made again. Default: false. */
  readonly retryable?: boolean
  /** What the operator can do about it, as a sentence. */
  readonly hint?: string
  readonly cause?: unknown
}

/** An error a stranger can act on. The message says what was being done, to what, and why it failed. */
export class Failure extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly hint: string | undefined

  constructor(message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Failure'
    this.code = options.code
    this.retryable = options.retryable ?? false
    this.hint = options.hint
  }
}

/** The plain data of an error, as it stands in events, `/status`, logs and `--json`. */
export interface FailureData {
  readonly code: ErrorCode
  readonly message: string
  readonly hint?: string
}

/** Anything thrown, as a Failure: its own if it is one, `cancelled` for an abort, else `internal`. */
export function toFailure(thrown: unknown, doing?: string): Failure {
  if (thrown instanceof Failure) return thrown
  if (isAbort(thrown))
    return new Failure(doing ? `${doing}: cancelled` : 'cancelled', { code: 'cancelled', cause: thrown })
  const text = thrown instanceof Error ? thrown.message || thrown.name : String(thrown)
  return new Failure(doing ? `${doing}: ${text}` : text, { code: 'internal', cause: thrown })
}

/** The account is known and may not do this: trying again, or with another name, changes nothing. */
export function lacksRight(thrown: unknown): boolean {
  return thrown instanceof Failure && thrown.code === 'permission'
}

export function failureData(thrown: unknown): FailureData {
  const failure = toFailure(thrown)
  return { code: failure.code, message: failure.message, ...(failure.hint === undefined ? {} : { hint: failure.hint }) }
}

/** Message and hint in one line of whole sentences, for where there is no room for two. */
export function sentenceOf(thrown: unknown): string {
  const { message, hint } = toFailure(thrown)
  return hint === undefined ? message : `${message.replace(/\.$/, '')}. ${hint}`
}

export function isAbort(thrown: unknown): boolean {
  if (thrown instanceof Failure) return thrown.code === 'cancelled'
  return thrown instanceof Error && (thrown.name === 'AbortError' || errnoOf(thrown) === 'ABORT_ERR')
}

/** `code` of a Node.js system error (`ECONNREFUSED`, `ENOSPC`, ...), if there is one. */
export function errnoOf(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** Throws a `cancelled` Failure when the signal has been aborted. */
export function throwIfAborted(signal: AbortSignal, doing: string): void {
  if (!signal.aborted) return
  throw signal.reason instanceof Failure ? signal.reason : toFailure(new DOMException('aborted', 'AbortError'), doing)
}
