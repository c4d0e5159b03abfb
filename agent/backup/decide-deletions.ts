import type { Failure } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { type Look, lookAt, MOST_LOOKS, tooManyNotWhole } from './look.ts'
import type { RetentionDecision, RetentionFacts, RetentionRule } from './retention.ts'
import { decideRetention, reliedOn } from './retention.ts'

export interface Decided {
  readonly catalog: readonly BackupSummary[]
  readonly decisions: readonly RetentionDecision[]
  /** Of backups that were taken for good ones and are not. */
  readonly problems: readonly Failure[]
}

interface DecideOptions extends CallOptions {
  readonly clusterName: string
  readonly policy: string
  readonly rule: RetentionRule
}

/** A good backup goes only in favour of others that were looked at, now, and found whole. */
export async function decideDeletions(
  location: Location,
  listed: readonly BackupSummary[],
  facts: RetentionFacts,
  options: DecideOptions,
): Promise<Decided> {
  const { rule } = options
  const problems: Failure[] = []
  const whole = new Set<string>()
  let catalog = listed
  for (;;) {
    const stored = catalog.map((backup) => ({ ...backup, startedAt: new Date(backup.startedAt) }))
    const decisions = decideRetention(stored, rule, facts)
    if (decisions.every(({ keep }) => keep)) return { catalog, decisions, problems }
    const unseen = new Set(reliedOn(stored, rule, facts.now).filter((backupId) => !whole.has(backupId)))
    if (unseen.size === 0) return { catalog, decisions, problems }
    if (problems.length >= MOST_LOOKS) throw tooManyNotWhole(location, options, problems)
    const looks = new Map<string, Look>()
    for (const backup of catalog) {
      if (unseen.has(backup.backupId)) looks.set(backup.backupId, await lookAt(location, options, backup, options))
    }
    catalog = catalog.map((backup) => looks.get(backup.backupId)?.backup ?? backup)
    for (const { backup, problem } of looks.values()) {
      if (problem === undefined) whole.add(backup.backupId)
      else problems.push(problem)
    }
  }
}
