import { Router } from 'express'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'
import { refuseMethod } from './refuse-method.ts'

export function runRoutes(agent: AgentView): Router {
  const router = Router()
  const runs = router.route('/runs')
  runs.get((_request, response) => void response.json(agent.runs()))
  runs.all(refuseMethod)
  const run = router.route('/runs/:runId')
  run.get((request, response) => {
    const { runId } = request.params
    const found = agent.run(runId)
    if (!found) return sendProblem(response, { status: 404, title: 'There is no such run', runId })
    return response.json(found)
  })
  run.delete((request, response) => {
    const { runId } = request.params
    const state = agent.cancelRun(runId)
    if (state === undefined) return sendProblem(response, { status: 404, title: 'There is no such run', runId })
    if (state === 'ended') return sendProblem(response, { status: 409, title: 'The run has ended already', runId })
    return response.status(202).json({ runId, state })
  })
  run.all(refuseMethod)
  return router
}
