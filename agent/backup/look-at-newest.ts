import { isAhead } from '../core/clock.ts'
import { Failure, toFailure } from '../core/errors.ts'
import type { BackupFacts, BackupSummary } from '../core/events.ts'
import { isGood } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import type { PolicyRef } from './catalog.ts'
import { lookAt } from './look.ts'

/** So many newest backups that are not whole are no accident of one run: somebody has to see to the location. */
export const MOST_LOOKS = 50

export interface NewestLook {
  readonly backups: readonly BackupSummary[]
  /** Of the newest good one. */
  readonly facts?: BackupFacts
  /** What was found against backups that would be the newest good one. */
  readonly problems: readonly Failure[]
}

/**
 * Looks at the newest good backup of a catalog, because everything relies on it; and where that one is not whole, at the
 * next, until one is. Throws where the location does not answer.
 */
export async function lookAtNewest(
  location: Location,
  ref: PolicyRef,
  catalog: readonly BackupSummary[],
  { now, ...options }: CallOptions & { readonly now: Date },
): Promise<NewestLook> {
  const backups = [...catalog]
  const problems: Failure[] = []
  for (;;) {
    const index = backups.findIndex((one) => isGood(one) && !isAhead(new Date(one.startedAt), now))
    const newest = backups[index]
    if (!newest) return { backups, problems }
    if (problems.length >= MOST_LOOKS) {
      return { backups: backups.map(unknown), problems: [...problems, tooManyNotWhole(location, ref, problems)] }
    }
    try {
      const look = await lookAt(location, ref, newest, options)
      if (look.found === 'whole') return { backups, facts: look.facts, problems }
      if (look.found === 'gone') backups.splice(index, 1)
      else {
        backups[index] = marked(newest, look.found)
        problems.push(look.problem)
      }
    } catch (thrown) {
      const failure = toFailure(thrown, `looking at backup ${newest.backupId} in ${location.name}`)
      if (options.signal.aborted || failure.retryable) throw failure
      problems.push(failure)
      // Who may list and not read can tell nothing of any.
      if (failure.code === 'permission') return { backups, problems }
      backups[index] = marked(newest, 'unreadable')
    }
  }
}

/** A proof that was kept is of what is not there any more. */
function marked({ verified: _, ...backup }: BackupSummary, found: 'damaged' | 'unreadable'): BackupSummary {
  return { ...backup, [found]: true }
}

/** Behind so many that are not whole, nothing is taken for a good one unseen. */
function unknown(backup: BackupSummary): BackupSummary {
  return isGood(backup) ? marked(backup, 'unreadable') : backup
}

export function tooManyNotWhole(
  { name }: Location,
  { policy }: Pick<PolicyRef, 'policy'>,
  problems: readonly Failure[],
): Failure {
  return new Failure(`${problems.length} complete backups of ${policy} in ${name} are not whole`, {
    code: 'damaged',
    hint: `One of them: ${problems[0]?.message}. See each with: palette-backup verify all --level stored`,
  })
}
