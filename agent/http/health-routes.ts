import { Router } from 'express'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'

/** What probes and Prometheus ask: open to everybody, reveals no configuration but names. */
export function healthRoutes(agent: AgentView): Router {
  const router = Router()
  router.get('/healthz', (_request, response) => {
    if (agent.isAlive()) return response.type('text/plain').send('ok\n')
    return sendProblem(response, { status: 503, title: 'The scheduler does not tick' })
  })
  router.get('/readyz', (_request, response) => {
    const reason = agent.whyNotReady()
    if (reason === undefined) return response.type('text/plain').send('ok\n')
    return sendProblem(response, { status: 503, title: 'Not ready', detail: reason })
  })
  router.get('/metrics', async (_request, response) => {
    const { contentType, text } = await agent.metrics()
    response.set('Content-Type', contentType).send(text)
  })
  return router
}
