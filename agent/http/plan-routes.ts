import { Router, text } from 'express'
import { MIB } from '../core/units.ts'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'
import { refuseMethod } from './refuse-method.ts'

/** What would change if the configuration in the body were applied; nothing is applied, no location is used. */
export function planRoutes(agent: AgentView): Router {
  const router = Router()
  const plan = router.route('/plan')
  plan.post(text({ type: () => true, limit: MIB }), async (request, response) => {
    const sent: unknown = request.body
    if (typeof sent !== 'string' || sent === '') {
      const detail = 'Send the text of a configuration file as the body.'
      return sendProblem(response, { status: 400, title: 'Which configuration?', detail })
    }
    const report = await agent.plan(sent)
    if (report.ok) return void response.json(report)
    sendProblem(response, { status: 422, title: 'The configuration is invalid', ...report })
  })
  plan.all(refuseMethod)
  return router
}
