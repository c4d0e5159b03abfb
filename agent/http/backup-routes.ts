import { Router } from 'express'
import type { AgentView } from './agent-view.ts'
import { sendProblem } from './problem.ts'
import { queryText } from './query.ts'
import { refuseMethod } from './refuse-method.ts'

export function backupRoutes(agent: AgentView): Router {
  const router = Router()
  const backups = router.route('/backups')
  backups.get((request, response) => {
    const filter = { policy: queryText(request, 'policy'), location: queryText(request, 'location') }
    const found = agent.backups(filter)
    if (!('unknown' in found)) return response.json(found)
    const named = found.unknown === 'backup_policy' ? { policy: filter.policy } : { location: filter.location }
    return sendProblem(response, { status: 404, title: `There is no such ${found.unknown}`, ...named })
  })
  backups.post((request, response) => {
    const policy = queryText(request, 'policy')
    if (policy === undefined) {
      return sendProblem(response, { status: 400, title: 'Which policy?', detail: 'Give one: /backups?policy=NAME' })
    }
    const backup = agent.startBackup(policy)
    if (!backup) return sendProblem(response, { status: 404, title: 'There is no such backup_policy', policy })
    return response.status(202).json(backup)
  })
  backups.all(refuseMethod)
  return router
}
