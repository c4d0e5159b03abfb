import { Router } from 'express'
import type { AgentView } from './agent-view.ts'

const ENDPOINTS = `palette-backup

GET       /healthz    the scheduler ticks
GET       /readyz     a configuration is applied, the agent is not stopping
GET       /metrics    for Prometheus
GET       /status     configuration, policies, locations, runs
GET       /runs       runs that go on, wait, or ended
POST      /backups    ?policy=NAME  starts a backup
GET POST  /validate   ?location=NAME&permission=read|write|readwrite  uses a location for real
POST      /validate   with a configuration file as body: checks it and its locations
POST      /plan       with a configuration file as body: what applying it would change
POST      /-/reload   reads the configuration file again
`

export function statusRoutes(agent: AgentView): Router {
  const router = Router()
  router.get('/', (_request, response) => void response.type('text/plain').send(ENDPOINTS))
  router.get('/status', (_request, response) => void response.json(agent.status()))
  router.get('/runs', (_request, response) => void response.json(agent.runs()))
  return router
}
