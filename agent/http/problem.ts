import type { ErrorRequestHandler, Response } from 'express'
import { Failure } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'

export interface Problem {
  readonly status: number
  readonly title: string
  readonly detail?: string
  /** Members of its own. */
  readonly [member: string]: unknown
}

/** Answers as RFC 9457 describes. */
export function sendProblem(response: Response, problem: Problem): void {
  response.status(problem.status).type('application/problem+json').send(problemText(problem))
}

export function problemText(problem: Problem): string {
  return JSON.stringify({ type: 'about:blank', ...problem })
}

/** The last handler: whatever went wrong becomes a problem; what is a defect of ours says nothing of itself outside. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (thrown: unknown, _request, response, next) => {
    if (response.headersSent) return next(thrown)
    const { status } = toProblem(thrown)
    if (status >= 500 && !(thrown instanceof Failure)) logger.error({ err: thrown }, 'http request failed')
    sendProblem(response, toProblem(thrown))
  }
}

function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Failure) {
    const { code, message, hint } = thrown
    const status = code === 'unavailable' ? 503 : 500
    const title = code === 'unavailable' ? 'Not available now' : 'The request failed'
    return { status, title, detail: message, code, ...(hint === undefined ? {} : { hint }) }
  }
  const status = statusOf(thrown)
  if (status === 413) return { status, title: 'The body is too large', detail: 'At most 1 MiB is read.' }
  if (status !== undefined && status < 500) return { status, title: 'The request could not be read' }
  return { status: 500, title: 'The request failed', detail: 'The log of the agent says more.' }
}

/** What the readers of request bodies attach to their errors. */
function statusOf(thrown: unknown): number | undefined {
  const status = thrown instanceof Error && 'status' in thrown ? thrown.status : undefined
  return typeof status === 'number' && status >= 400 && status < 600 ? status : undefined
}
