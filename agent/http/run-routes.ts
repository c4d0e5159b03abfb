import { Router } from 'express'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'

export function runRoutes(agent: AgentView): Router {
  const router = Router()
  router.get('/runs', (_request, response) => void response.json(agent.runs()))
  router.get('/runs/:runId', (request, response) => {
    const { runId } = request.params
    const run = agent.run(runId)
    if (!run) return sendProblem(response, { status: 404, title: 'There is no such run', runId })
    return response.json(run)
  })
  router.delete('/runs/:runId', (request, response) => {
    const { runId } = request.params
    const state = agent.cancelRun(runId)
    if (state === undefined) return sendProblem(response, { status: 404, title: 'There is no such run', runId })
    if (state === 'ended') return sendProblem(response, { status: 409, title: 'The run has ended already', runId })
    return response.status(202).json({ runId, state })
  })
  return router
}
