import { isAhead } from '../core/clock.ts'
import { Failure, toFailure } from '../core/errors.ts'
import type { BackupFacts, BackupSummary } from '../core/events.ts'
import { isGood } from '../core/events.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import type { PolicyRef } from './catalog.ts'
import { readManifest } from './catalog.ts'
import { artifactKey } from './keys.ts'
import { factsOf } from './manifest.ts'
import { proveArtifact } from './prove-artifact.ts'

/** So many newest backups that are not whole are no accident of one run: somebody has to see to the location. */
export const MOST_LOOKS = 50

export interface Look {
  /** As it was listed, and `damaged` or `unreadable` where the look has found it so. */
  readonly backup: BackupSummary
  /** Of a whole one. */
  readonly facts?: BackupFacts
  /** Why it is not whole. */
  readonly problem?: Failure
}

/**
 * Whether a backup is there whole, as far as can be told without reading it: a listing shows that a manifest has a name,
 * and neither whether it can be read nor whether its artifacts are there with their sizes.
 * Throws where the location could not tell.
 */
export async function lookAt(
  location: Location,
  { clusterName }: Pick<PolicyRef, 'clusterName'>,
  backup: BackupSummary,
  options: CallOptions,
): Promise<Look> {
  try {
    const manifest = await readManifest(location, { clusterName }, backup, options)
    for (const artifact of manifest.artifacts) {
      const key = artifactKey(clusterName, backup.policy, backup.backupId, artifact.file)
      await proveArtifact('stored', location, key, artifact, { ...options, sources: [] })
    }
    return { backup, facts: factsOf(manifest) }
  } catch (thrown) {
    const { code, message, hint } = toFailure(thrown)
    const why = `backup ${backup.backupId} in ${location.name} does not count as a good one: ${message}`
    const problem = new Failure(why, { code, cause: thrown, ...(hint === undefined ? {} : { hint }) })
    const { verified: _, ...unproven } = backup
    if (code === 'damaged' || code === 'not_found') return { backup: { ...unproven, damaged: true }, problem }
    if (code === 'unsupported' || code === 'refused') return { backup: { ...backup, unreadable: true }, problem }
    throw thrown
  }
}

export interface NewestLook {
  readonly backups: readonly BackupSummary[]
  /** Of the newest good one. */
  readonly facts?: BackupFacts
  readonly problems: readonly Failure[]
}

/**
 * Looks at the newest good backup of a catalog, because everything relies on it; and where that one is not whole, at the
 * next, until one is.
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
    if (problems.length >= MOST_LOOKS) throw tooManyNotWhole(location, ref, problems)
    try {
      const { backup, facts, problem } = await lookAt(location, ref, newest, options)
      if (facts) return { backups, facts, problems }
      backups[index] = backup
      if (problem !== undefined) problems.push(problem)
    } catch (thrown) {
      const failure = toFailure(thrown, `looking at backup ${newest.backupId} in ${location.name}`)
      if (options.signal.aborted || failure.retryable) throw failure
      // What may be listed and not read hides nothing of the listing.
      return { backups, problems: [...problems, failure] }
    }
  }
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
