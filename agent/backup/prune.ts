import { Failure, toFailure } from '../core/errors.ts'
import type { BackupSummary, Emit } from '../core/events.ts'
import { DAY_MS, formatDuration } from '../core/units.ts'
import type { Entry, Location } from '../locations/location.ts'
import type { PolicyRef } from './catalog.ts'
import { catalogOf, readManifest } from './catalog.ts'
import type { Standing } from './decide-deletions.ts'
import { decideDeletions } from './decide-deletions.ts'
import { deleteManifest, deleteRemains } from './delete-backup.ts'
import type { InFlightRecord } from './in-flight.ts'
import { backupsInUse } from './in-use.ts'
import { parseKey, policyPrefix } from './keys.ts'
import { sentencesOf } from './one-sentence.ts'
import type { RetentionDecision, RetentionRule } from './retention.ts'
import { tooManyDeletions } from './retention.ts'
import { neededByRestores } from './unfinished-restore.ts'

export interface PruneOptions extends PolicyRef {
  readonly rule: RetentionRule
  readonly now: Date
  readonly runId: string
  readonly isDead: (record: InFlightRecord) => boolean
  readonly emit: Emit
  readonly signal: AbortSignal
  /** Told, and awaited, before the first deletion: whoever comes after a kill must be able to finish them. */
  readonly onDeleting: (backupIds: readonly string[]) => Promise<void>
  /** Something was stored a moment ago: the location's clock can be compared with ours. */
  readonly justStored?: boolean
  /** Decide and delete nothing. */
  readonly dryRun?: boolean
  /** Delete however many there are. */
  readonly force?: boolean
}

export interface PruneOutcome {
  readonly location: string
  readonly decisions: readonly RetentionDecision[]
  readonly deleted: readonly string[]
  /** Why nothing was deleted although something should go; it takes `force`. */
  readonly refused?: string
  /** Backups that should be gone and are not, and such as were taken for good ones and are not, as sentences. */
  readonly problems: readonly string[]
  /** Something of a deleted backup is still there. */
  readonly unfinished: boolean
}

/**
 * Applies a policy's retention to one location. A backup whose manifest cannot be read is left alone: what this
 * program does not understand it does not delete. Rejects, with nothing deleted, where it cannot be told what others
 * still need.
 */
export async function prune(location: Location, options: PruneOptions): Promise<PruneOutcome> {
  const { now, emit, runId, policy } = options
  let entries: readonly Entry[] = []
  const read = async (): Promise<Standing> => {
    entries = await location.list(policyPrefix(options.clusterName, policy), { ...options, shallow: true })
    const inUse = await backupsInUse(location, options)
    const needed = await neededByRestores(location, options.clusterName, options)
    return { catalog: catalogOf(location, options, entries), facts: { now, inUse, needed } }
  }
  const { catalog, decisions, ...looked } = await decideDeletions(location, read, options)
  const problems = sentencesOf(looked.problems)
  const outcome = { location: location.name, decisions, deleted: [], problems, unfinished: false }
  const refused = options.force ? undefined : whyRefused(decisions, entries, options)
  if (options.dryRun) return { ...outcome, ...(refused ? { refused } : {}) }
  const applied = { type: 'retention.applied', runId, policy, location: location.name } as const
  if (refused) {
    emit({ ...applied, failures: 0, refused: true })
    return { ...outcome, refused }
  }
  const doomed = new Set(decisions.filter(({ keep }) => !keep).map(({ backupId }) => backupId))
  // The oldest first: stopped half-way, the best are still there.
  const going = catalog.filter(({ backupId }) => doomed.has(backupId)).reverse()
  const { failures, ...done } = await deleteAll(location, going, options)
  emit({ ...applied, failures, refused: false })
  return { ...outcome, ...done, problems: [...problems, ...done.problems] }
}

interface Deletions {
  readonly deleted: readonly string[]
  /** How many of the problems there were, which may share a sentence. */
  readonly failures: number
  readonly problems: readonly string[]
  readonly unfinished: boolean
}

async function deleteAll(
  location: Location,
  backups: readonly BackupSummary[],
  options: PruneOptions,
): Promise<Deletions> {
  const deleted: string[] = []
  const failures: Failure[] = []
  if (backups.length === 0) return { deleted, failures: 0, problems: [], unfinished: false }
  await options.onDeleting(backups.map(({ backupId }) => backupId))
  for (const backup of backups) {
    if (options.signal.aborted) break
    try {
      await deleteOne(location, backup, options, deleted)
    } catch (thrown) {
      if (options.signal.aborted) break
      failures.push(toFailure(thrown, `deleting backup ${backup.backupId} in ${location.name}`))
    }
  }
  const left = deleted.length > 0 ? await remains(location, deleted, options) : []
  const unexplained = failures.length > 0 ? [] : left
  const problems = [...sentencesOf(failures), ...unexplained]
  return {
    deleted,
    failures: failures.length + unexplained.length,
    problems,
    unfinished: left.length > 0 || options.signal.aborted,
  }
}

async function deleteOne(
  location: Location,
  backup: BackupSummary,
  options: PruneOptions,
  deleted: string[],
): Promise<void> {
  const { clusterName, policy, runId, emit } = options
  await readManifest(location, options, backup, options)
  await deleteManifest(location, clusterName, backup, options)
  deleted.push(backup.backupId)
  emit({ type: 'backup.deleted', runId, policy, location: location.name, backupId: backup.backupId })
  await deleteRemains(location, clusterName, backup, options)
}

/** What a new listing still shows of backups that were deleted: a location's word alone is not taken for it. */
async function remains(location: Location, deleted: readonly string[], options: PruneOptions): Promise<string[]> {
  if (options.signal.aborted) return []
  const prefix = policyPrefix(options.clusterName, options.policy)
  const found = new Set<string>()
  const enter = (folder: string): boolean => deleted.some((backupId) => folder === `${prefix}${backupId}/`)
  for (const { key } of await location.list(prefix, { ...options, enter })) {
    const meaning = parseKey(prefix, key)
    if (meaning && deleted.includes(meaning.backupId)) found.add(meaning.backupId)
  }
  return [...found].map((backupId) => {
    const { message } = new Failure(
      `deleting backup ${backupId} in ${location.name}: the location said it was gone, and lists some of it still`,
      { code: 'damaged' },
    )
    return message
  })
}

function whyRefused(
  decisions: readonly RetentionDecision[],
  entries: readonly Entry[],
  options: PruneOptions,
): string | undefined {
  if (decisions.every(({ keep }) => keep)) return undefined
  return tooManyDeletions(decisions) ?? (options.justStored ? clocksDiffer(entries, options.now) : undefined)
}

/** What was stored a moment ago bears the location's own time, which no fault of this machine's clock can move. */
function clocksDiffer(entries: readonly Entry[], now: Date): string | undefined {
  const newest = Math.max(...entries.map(({ modified }) => modified?.getTime() ?? Number.NEGATIVE_INFINITY))
  const aheadMs = now.getTime() - newest
  if (!Number.isFinite(newest) || aheadMs < DAY_MS) return undefined
  return `this machine's clock is ${formatDuration(aheadMs)} ahead of the location's`
}
