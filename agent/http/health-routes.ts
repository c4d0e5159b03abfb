import { Router } from 'express'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'
import { refuseMethod } from './refuse-method.ts'

/** What probes and Prometheus ask: open to everybody, reveals no configuration but names. */
export function healthRoutes(agent: AgentView): Router {
  const router = Router()
  const healthz = router.route('/healthz')
  healthz.get((_request, response) => {
    if (agent.isAlive()) return response.type('text/plain').send('ok\n')
    return sendProblem(response, { status: 503, title: 'The scheduler does not tick' })
  })
  healthz.all(refuseMethod)
  const readyz = router.route('/readyz')
  readyz.get((_request, response) => {
    const reason = agent.whyNotReady()
    if (reason === undefined) return response.type('text/plain').send('ok\n')
    return sendProblem(response, { status: 503, title: 'Not ready', detail: reason })
  })
  readyz.all(refuseMethod)
  const metrics = router.route('/metrics')
  metrics.get(async (_request, response) => {
    const { contentType, text } = await agent.metrics()
    response.set('Content-Type', contentType).send(text)
  })
  metrics.all(refuseMethod)
  return router
}
