import { Router } from 'express'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'

export function reloadRoutes(agent: AgentView): Router {
  const router = Router()
  router.post('/-/reload', async (_request, response) => {
    const report = await agent.reload()
    if (report.outcome !== 'refused') return void response.json(report)
    const title = 'The configuration was refused'
    sendProblem(response, { status: 422, title, detail: 'The last good one goes on.', ...report })
  })
  return router
}
