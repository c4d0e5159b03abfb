import { DAY_MS } from '../core/units.ts'
import type { CallOptions, Entry, ListOptions, Location } from '../locations/location.ts'
import { backupIdTime } from './backup-id.ts'
import { parseKey, policyPrefix } from './keys.ts'

/** Artifacts without a manifest, and without a record of a run that could still write one. */
export interface Orphan {
  readonly policy: string
  readonly backupId: string
  readonly objects: number
  readonly bytes: number
}

export interface OrphanOptions extends CallOptions {
  readonly clusterName: string
  readonly policies: readonly string[]
  readonly now: Date
  /** Backups that a record of a run names, be the run alive or dead: they are the record's affair. */
  readonly onRecord: ReadonlySet<string>
}

/** Longer than any run takes. A clock that is wrong by less harms nobody. */
export const GRACE_MS = 2 * DAY_MS

/**
 * What is left of runs that lost their record too: their names are of our making, they are old by their name and, where
 * the location tells, by its own clock. What is pinned or proven had a manifest once: somebody should look at it.
 */
export async function findOrphans(location: Location, options: OrphanOptions): Promise<Orphan[]> {
  const orphans: Orphan[] = []
  for (const policy of options.policies) {
    const prefix = policyPrefix(options.clusterName, policy)
    const entries = await location.list(prefix, { ...options, enter: unlessWhole(prefix) })
    const { artifacts, known } = sort(entries, prefix)
    for (const [backupId, found] of artifacts) {
      if (known.has(backupId) || options.onRecord.has(backupId)) continue
      if (!isOld(backupId, found, options.now)) continue
      const bytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      orphans.push({ policy, backupId, objects: found.length, bytes })
    }
  }
  return orphans
}

/** The folders of backups are not entered, which are nearly all of them: where each takes a request, that is minutes. */
function unlessWhole(prefix: string): NonNullable<ListOptions['enter']> {
  let whole: ReadonlySet<string> | undefined
  return (folder, beside) => {
    whole ??= new Set(
      beside.flatMap(({ key }) => {
        const meaning = parseKey(prefix, key)
        return meaning?.kind === 'manifest' ? [`${prefix}${meaning.backupId}/`] : []
      }),
    )
    return !whole.has(folder)
  }
}

function sort(
  entries: readonly Entry[],
  prefix: string,
): { readonly artifacts: ReadonlyMap<string, readonly Entry[]>; readonly known: ReadonlySet<string> } {
  const artifacts = new Map<string, Entry[]>()
  const known = new Set<string>()
  for (const entry of entries) {
    const meaning = parseKey(prefix, entry.key)
    if (!meaning) continue
    const { kind, backupId } = meaning
    if (kind !== 'artifact') known.add(backupId)
    else artifacts.set(backupId, [...(artifacts.get(backupId) ?? []), entry])
  }
  return { artifacts, known }
}

function isOld(backupId: string, artifacts: readonly Entry[], now: Date): boolean {
  const times = [backupIdTime(backupId), ...artifacts.map(({ modified }) => modified)]
  return times.every((time) => time === undefined || now.getTime() - time.getTime() > GRACE_MS)
}
