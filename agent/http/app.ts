import type { Express } from 'express'
import express from 'express'
import type { AccessOptions } from './access.ts'
import { requireAccess } from './access.ts'
import type { AgentView } from './agent-view.ts'
import { backupRoutes } from './backup-routes.ts'
import { healthRoutes } from './health-routes.ts'
import { requestLimits } from './limits.ts'
import { planRoutes } from './plan-routes.ts'
import { problemHandler, sendProblem } from './problem.ts'
import { reloadRoutes } from './reload-routes.ts'
import { runRoutes } from './run-routes.ts'
import { statusRoutes } from './status-routes.ts'
import { validateRoutes } from './validate-routes.ts'

/** The whole HTTP interface: what everybody may ask, then the door, then the rest. */
export function createApp(agent: AgentView, access: AccessOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  // Nothing is answered that is the same the next time.
  app.disable('etag')
  app.use(healthRoutes(agent))
  app.use(requestLimits(), requireAccess(access))
  app.use((_request, response, next) => {
    response.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
    next()
  })
  app.use(statusRoutes(agent), runRoutes(agent), backupRoutes(agent))
  app.use(validateRoutes(agent), planRoutes(agent), reloadRoutes(agent))
  app.use((request, response) => {
    sendProblem(response, { status: 404, title: 'Nothing here', detail: `${request.method} ${request.path}` })
  })
  app.use(problemHandler(access.logger))
  return app
}
