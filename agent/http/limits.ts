import type { RequestHandler } from 'express'
import { rateLimit } from 'express-rate-limit'
import { MINUTE_MS } from '../core/units.ts'
import { sendProblem } from './problem.ts'

/** Requests behind the door that one address may make in a minute. */
const REQUESTS = 6000
/** Requests without the right token: guessing one must not pay. */
const REFUSALS = 120

/** Stand before the door: everybody may ask much, but nobody may knock with wrong tokens for long. */
export function requestLimits(): RequestHandler[] {
  return [limit(REQUESTS, () => false), limit(REFUSALS, (status) => status !== 401)]
}

function limit(count: number, isFree: (status: number) => boolean): RequestHandler {
  return rateLimit({
    windowMs: MINUTE_MS,
    limit: count,
    legacyHeaders: false,
    standardHeaders: 'draft-8',
    // Nothing stands before the agent that could be trusted to say whom it speaks for.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
    skipSuccessfulRequests: true,
    requestWasSuccessful: (_request, response) => isFree(response.statusCode),
    handler: (_request, response) =>
      sendProblem(response, { status: 429, title: 'Too many requests', detail: 'Wait a minute.' }),
  })
}
