import type { Config, PolicyConfig } from '../config/config.ts'
import { type Change, formatPlan, type Plan } from '../config/plan.ts'
import { nextDue } from '../schedule/due.ts'

/** What is known beside two configurations. */
export interface PlanFacts {
  readonly now: Date
  /** Stored backups of a policy in a location, as last read; undefined where it is not known. */
  readonly stored?: (policy: string, location: string) => number | undefined
  readonly activeRuns?: number
}

/** A plan with what it means: what starts and when, what stops, and which backups stay. */
export function explainPlan(plan: Plan, before: Config | undefined, after: Config, facts: PlanFacts): string {
  const note = (change: Change): string => {
    const [kind, name = ''] = change.address.split('.')
    if (kind === 'backup_policy') return noteOnPolicy(change, policyOf(before, name), policyOf(after, name), facts)
    if (kind === 'backup_storage_location' && change.action === 'remove') return 'no longer used; all it holds stays'
    return ''
  }
  const { activeRuns: runs = 0 } = facts
  const ends =
    runs === 0
      ? ''
      : runs === 1
        ? '1 run in progress keeps its configuration.'
        : `${runs} runs in progress keep their configuration.`
  return formatPlan(plan, { note, ends })
}

function noteOnPolicy(
  { action }: Change,
  before: PolicyConfig | undefined,
  after: PolicyConfig | undefined,
  facts: PlanFacts,
): string {
  if (action === 'remove' && before) return `stops; ${storedIn(before, before.backupLocations, facts)}`
  if (!after) return ''
  const dropped = before?.backupLocations.filter((one) => !after.backupLocations.includes(one)) ?? []
  const stays = before && dropped.length > 0 ? storedIn(before, dropped, facts) : ''
  const due = nextDue(after.schedule, { after: facts.now })
  const starts = action === 'add' && due ? `starts; first backup ${due.toISOString().replace('.000', '')}` : ''
  return [starts, stays].filter((part) => part !== '').join('; ')
}

function storedIn({ name }: PolicyConfig, locations: readonly string[], { stored }: PlanFacts): string {
  const counts = locations.flatMap((location) => {
    const count = stored?.(name, location)
    return count === undefined ? [] : [`${count} in ${location}`]
  })
  const which = counts.length === locations.length ? `its stored backups (${counts.join(', ')})` : 'its stored backups'
  return `${which} stay and are no longer pruned`
}

function policyOf(config: Config | undefined, name: string): PolicyConfig | undefined {
  return config?.policies.find((policy) => policy.name === name)
}
