import { Router } from 'express'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'
import { refuseMethod } from './refuse-method.ts'

export function reloadRoutes(agent: AgentView): Router {
  const router = Router()
  const reload = router.route('/-/reload')
  reload.post(async (_request, response) => {
    const report = await agent.reload()
    if (report.outcome !== 'refused') return void response.json(report)
    const title = 'The configuration was refused'
    sendProblem(response, { status: 422, title, detail: 'The last good one goes on.', ...report })
  })
  reload.all(refuseMethod)
  return router
}
