import { formatDuration, SECOND_MS } from '../../core/units.ts'
import type { Member } from './members.ts'

/** A member further behind gives a backup that is older than it says. */
export const LARGEST_LAG_MS = 30 * SECOND_MS

export interface Candidates {
  /** In the order they should be tried; the primary is last. */
  readonly members: readonly Member[]
  /** Why others are not among them, as `host reason`. */
  readonly passedOver: readonly string[]
}

/**
 * Secondaries before the primary, so that reading does not disturb who serves Palette; hidden ones first, because they
 * serve nobody; then the one that is least behind. Never one that is delayed, lags, or is in no state to be read.
 */
export function rankMembers(members: readonly Member[]): Candidates {
  const passedOver: string[] = []
  const fit = members.filter((member) => {
    const why = member.unfit ?? lagging(member)
    if (why !== undefined) passedOver.push(`${member.host} ${why}`)
    return why === undefined
  })
  const ranked = fit.toSorted(
    (a, b) =>
      Number(a.role === 'primary') - Number(b.role === 'primary') ||
      Number(b.hidden) - Number(a.hidden) ||
      (a.lagMs ?? 0) - (b.lagMs ?? 0),
  )
  return { members: ranked, passedOver }
}

function lagging({ role, lagMs = 0 }: Member): string | undefined {
  if (role === 'primary' || lagMs <= LARGEST_LAG_MS) return undefined
  return `is ${formatDuration(lagMs)} behind`
}
