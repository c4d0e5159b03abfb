import { readCatalog } from '../backup/catalog.ts'
import { lookAtNewest } from '../backup/look-at-newest.ts'
import type { Config } from '../config/config.ts'
import { isAhead } from '../core/clock.ts'
import type { FailureData } from '../core/errors.ts'
import { Failure, failureData } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import { isGood } from '../core/events.ts'
import type { Location } from '../locations/location.ts'
import type { OpenedLocations } from './compose.ts'
import { requireLocationName, requirePolicy } from './configuration.ts'
import type { CommandContext } from './context.ts'

export interface BackupFilter {
  readonly policy?: string
  readonly location?: string
}

export interface FoundBackup {
  readonly backup: BackupSummary
  readonly location: Location
  /** It was to be looked at, or a newer one, and the location did not answer: it is not the latest of anything. */
  readonly unseen?: boolean
}

export interface Found {
  readonly backups: readonly FoundBackup[]
  /** Locations that could not be read. */
  readonly unread: readonly { readonly location: string; readonly failure: FailureData }[]
  /** What is wrong with backups that are newer than the newest good one. */
  readonly problems: readonly Failure[]
  /** When this was found. */
  readonly at: Date
}

/** The locations that the filter leaves. */
export function locationNames(config: Config, { policy, location }: BackupFilter): readonly string[] {
  const ofPolicy = policy === undefined ? undefined : requirePolicy(config, policy).backupLocations
  if (location !== undefined) return [requireLocationName(config, location)]
  return ofPolicy ?? config.locations.map(({ name }) => name)
}

export interface Finding extends BackupFilter {
  /** Look at the newest good one of each policy in each location, as far as it takes to find one that is whole. */
  readonly look?: boolean
}

/** All backups that the filter leaves, newest first; each location is asked for each policy that writes to it. */
export async function findBackups(
  config: Config,
  opened: OpenedLocations,
  filter: Finding,
  { signal, clock }: Pick<CommandContext, 'signal' | 'clock'>,
): Promise<Found> {
  const unread = opened.unusable.map(({ name, failure }) => ({ location: name, failure: failureData(failure) }))
  const backups: FoundBackup[] = []
  const problems: Failure[] = []
  const now = clock.now()
  const policies = config.policies.filter(({ name }) => filter.policy === undefined || name === filter.policy)
  for (const location of opened.usable) {
    for (const { name: policy, backupLocations } of policies) {
      if (!backupLocations.includes(location.name)) continue
      const ref = { clusterName: config.palette.clusterName, policy }
      let listed: readonly BackupSummary[] | undefined
      try {
        listed = await readCatalog(location, ref, { signal })
        const looked = filter.look ? await lookAtNewest(location, ref, listed, { signal, now }) : undefined
        problems.push(...(looked?.problems ?? []))
        backups.push(...(looked?.backups ?? listed).map((backup) => ({ backup, location })))
      } catch (thrown) {
        unread.push({ location: location.name, failure: failureData(thrown) })
        if (!listed) break
        // It can be named all the same.
        backups.push(...listed.map((backup) => ({ backup, location, unseen: true })))
      }
    }
  }
  backups.sort((a, b) => (a.backup.backupId < b.backup.backupId ? 1 : -1))
  return { backups, unread, problems, at: now }
}

/** A clock was wrong when it was made, or is wrong now: nobody knows whether it is newer than others. */
export function isFromFuture(backup: BackupSummary, { at }: Found): boolean {
  return isAhead(new Date(backup.startedAt), at)
}

/**
 * The named backup, or with `latest` the newest good one that is not from the future;
 * from the first location that has it.
 */
export function pickBackup(found: Found, id: string): FoundBackup {
  const good = found.backups.filter(({ backup, unseen }) => isGood(backup) && !unseen)
  const match =
    id === 'latest'
      ? good.find(({ backup }) => !isFromFuture(backup, found))
      : found.backups.find(({ backup }) => backup.backupId === id)
  if (match) return match
  if (id === 'latest' && good.length > 0) {
    throw new Failure('every complete backup bears a time that has not come', {
      code: 'not_found',
      hint: 'The clock was wrong when they were made, or is wrong now. See palette-backup list, and name the one you mean.',
    })
  }
  const [problem] = found.problems
  if (id === 'latest' && problem && found.unread.length === 0) throw problem
  const reasons = found.unread.map(({ location, failure }) => `${location} could not be read: ${failure.message}`)
  throw new Failure(id === 'latest' ? 'there is no complete backup' : `there is no backup ${id}`, {
    code: 'not_found',
    hint: reasons.length > 0 ? reasons.join('\n  ') : 'See what there is with: palette-backup list',
  })
}
