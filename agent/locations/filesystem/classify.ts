import type { ErrorCode } from '../../core/errors.ts'
import { errnoOf, Failure, toFailure } from '../../core/errors.ts'

interface Verdict {
  readonly code: ErrorCode
  readonly reason: string
  readonly hint?: string
  readonly retryable?: boolean
}

/** What the system's errors mean here; see errno(3). */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  ENOENT: { code: 'not_found', reason: 'it is not there' },
  ENOTDIR: { code: 'not_found', reason: 'a part of the path is no folder' },
  ELOOP: { code: 'refused', reason: 'it is a link, and links are not followed' },
  EISDIR: { code: 'not_found', reason: 'there is a folder of that name' },
  ENOSPC: { code: 'no_space', reason: 'the disk is full', hint: 'Make room, or shorten retention_period.' },
  EDQUOT: { code: 'no_space', reason: 'the quota is used up', hint: 'Make room, or shorten retention_period.' },
  EROFS: { code: 'permission', reason: 'the filesystem is mounted read-only' },
  EACCES: { code: 'permission', reason: 'permission denied', hint: 'Let the user of the agent write there.' },
  EPERM: { code: 'permission', reason: 'not permitted', hint: 'Let the user of the agent write there.' },
  ENAMETOOLONG: { code: 'unsupported', reason: 'the name is too long for the filesystem' },
  EIO: { code: 'damaged', reason: 'the disk reports an input/output error', hint: 'Check the disk.' },
  ESTALE: { code: 'unavailable', reason: 'the network filesystem lost the file', retryable: true },
}

export function filesystemFailure(cause: unknown, doing: string): Failure {
  if (cause instanceof Failure) {
    if (cause.code === 'cancelled') return cause
    const { code, retryable, hint } = cause
    return new Failure(`${doing}: ${cause.message}`, {
      code,
      retryable,
      cause,
      ...(hint === undefined ? {} : { hint }),
    })
  }
  const verdict = VERDICTS[errnoOf(cause) ?? '']
  if (!verdict) return toFailure(cause, doing)
  const { code, reason, hint, retryable = false } = verdict
  return new Failure(`${doing}: ${reason}`, { code, retryable, cause, ...(hint === undefined ? {} : { hint }) })
}
