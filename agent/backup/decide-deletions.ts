import type { Failure } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { lookAt } from './look.ts'
import { MOST_LOOKS, tooManyNotWhole } from './look-at-newest.ts'
import type { RetentionDecision, RetentionFacts, RetentionRule } from './retention.ts'
import { decideRetention, reliedOn } from './retention.ts'

/** What a location says at one moment. */
export interface Standing {
  readonly catalog: readonly BackupSummary[]
  readonly facts: RetentionFacts
}

export interface Decided extends Pick<Standing, 'catalog'> {
  readonly decisions: readonly RetentionDecision[]
  /** Of backups that were taken for good ones and are not. */
  readonly problems: readonly Failure[]
}

interface DecideOptions extends CallOptions {
  readonly clusterName: string
  readonly policy: string
  readonly rule: RetentionRule
}

/**
 * A good backup goes only in favour of others that were looked at, now, and found whole. What is not whole stands for
 * nothing and stays: only a verification makes it known as damaged.
 *
 * Looking takes time, in which somebody may have pinned one, begun to restore it, or deleted it: `read` is asked again.
 */
export async function decideDeletions(
  location: Location,
  read: () => Promise<Standing>,
  options: DecideOptions,
): Promise<Decided> {
  const { rule } = options
  const problems: Failure[] = []
  const whole = new Set<string>()
  const suspect = new Set<string>()
  for (;;) {
    const { catalog, facts } = await read()
    const stored = catalog.map((backup) => {
      return { ...backup, startedAt: new Date(backup.startedAt), suspect: suspect.has(backup.backupId) }
    })
    const decisions = decideRetention(stored, rule, facts)
    const decided = { catalog, decisions, problems }
    if (decisions.every(({ keep }) => keep)) return decided
    const counted = new Set(reliedOn(stored, rule, facts.now))
    const unseen = catalog.filter(({ backupId }) => counted.has(backupId) && !whole.has(backupId))
    if (unseen.length === 0) return decided
    if (problems.length >= MOST_LOOKS) throw tooManyNotWhole(location, options, problems)
    for (const backup of unseen) {
      const look = await lookAt(location, options, backup, options)
      const seen = look.found === 'whole' ? whole : suspect
      seen.add(backup.backupId)
      if (look.found === 'damaged' || look.found === 'unreadable') problems.push(look.problem)
    }
  }
}
