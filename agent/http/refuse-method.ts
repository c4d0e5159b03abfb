import type { RequestHandler } from 'express'
import { sendProblem } from './problem.ts'

/** Stands last on a route, with `all`: whoever comes this far asked for a method that the route does not have. */
export const refuseMethod: RequestHandler = (request, response) => {
  const { methods }: { readonly methods: Readonly<Record<string, boolean>> } = request.route
  const known = Object.keys(methods).filter((method) => method !== '_all')
  const allowed = known.flatMap((method) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
  response.set('Allow', allowed.join(', '))
  const detail = `${request.method} ${request.path}; it takes ${allowed.join(', ')}`
  sendProblem(response, { status: 405, title: 'Not with this method', detail })
}
