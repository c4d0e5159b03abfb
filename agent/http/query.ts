import type { Request } from 'express'

/** The value of a query parameter that was given once and is not empty. */
export function queryText(request: Request, name: string): string | undefined {
  const value = request.query[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}
