import type { Request, Response } from 'express'
import { Router, text } from 'express'
import { MIB } from '../core/units.ts'
import type { Permission } from '../runs/request.ts'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'
import { queryText } from './query.ts'
import { refuseMethod } from './refuse-method.ts'

const PERMISSIONS = ['read', 'write', 'readwrite'] as const

/** Using a location for real, or checking a whole configuration before it is saved. */
export function validateRoutes(agent: AgentView): Router {
  const router = Router()
  const body = text({ type: () => true, limit: MIB })
  const validate = router.route('/validate')
  validate.get((request, response) => validateLocation(agent, request, response))
  validate.post(body, (request, response) => {
    const sent: unknown = request.body
    return typeof sent === 'string' && sent !== ''
      ? validateText(agent, sent, request, response)
      : validateLocation(agent, request, response)
  })
  validate.all(refuseMethod)
  return router
}

async function validateLocation(agent: AgentView, request: Request, response: Response): Promise<void> {
  const permission = permissionOf(request)
  if (!permission) return refusePermission(response)
  const location = queryText(request, 'location')
  if (location === undefined) {
    const detail = 'Give one: /validate?location=NAME, or send a configuration as the body of a POST.'
    return sendProblem(response, { status: 400, title: 'Which location?', detail })
  }
  const report = await agent.validateLocation(location, permission, untilClosed(response))
  if (!report) {
    return sendProblem(response, { status: 404, title: 'There is no such backup_storage_location', location })
  }
  if (report.ok) return void response.json(report)
  sendProblem(response, { status: 422, title: 'The location cannot be used', ...report })
}

async function validateText(agent: AgentView, sent: string, request: Request, response: Response): Promise<void> {
  const permission = permissionOf(request)
  if (!permission) return refusePermission(response)
  const report = await agent.validateText(sent, permission, untilClosed(response))
  if (report.ok) return void response.json(report)
  sendProblem(response, { status: 422, title: 'The configuration cannot be used', ...report })
}

function permissionOf(request: Request): Permission | undefined {
  if (request.query['permission'] === undefined) return 'readwrite'
  return PERMISSIONS.find((one) => one === request.query['permission'])
}

function refusePermission(response: Response): void {
  const detail = `permission is one of ${PERMISSIONS.join(', ')}.`
  sendProblem(response, { status: 400, title: 'No such permission', detail })
}

/** Aborted when nobody waits for the answer any more. */
function untilClosed(response: Response): AbortSignal {
  const closed = new AbortController()
  response.once('close', () => closed.abort())
  return closed.signal
}
