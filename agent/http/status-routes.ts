import { Router } from 'express'
import type { AgentView } from './agent-view.ts'
import { consolePage } from './console-page.ts'
import { refuseMethod } from './refuse-method.ts'

const ENDPOINTS = `palette-backup

GET       /healthz     the scheduler ticks
GET       /readyz      a configuration is applied, the agent is not stopping
GET       /metrics     for Prometheus
GET       /status      configuration, policies, locations, runs
GET       /backups     ?policy=NAME&location=NAME  what the locations hold
POST      /backups     ?policy=NAME  starts a backup
GET       /runs        runs that go on, wait, or ended
GET       /runs/ID     one of them, with its log
DELETE    /runs/ID     cancels it
GET POST  /validate    ?location=NAME&permission=read|write|readwrite  uses a location for real
POST      /validate    with a configuration file as body: checks it and its locations
POST      /plan        with a configuration file as body: what applying it would change
POST      /-/reload    reads the configuration file again
`

/** No script runs and nothing is loaded, whatever a name or an error says. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

export function statusRoutes(agent: AgentView): Router {
  const router = Router()
  const page = router.route('/')
  page.get((request, response) => {
    if (request.accepts(['text/plain', 'text/html']) !== 'text/html') {
      return void response.type('text/plain').send(ENDPOINTS)
    }
    response.set({ 'Content-Security-Policy': PAGE_POLICY, 'Referrer-Policy': 'no-referrer' })
    response.type('text/html').send(consolePage(agent.status()))
  })
  page.all(refuseMethod)
  const status = router.route('/status')
  status.get((_request, response) => void response.json(agent.status()))
  status.all(refuseMethod)
  return router
}
