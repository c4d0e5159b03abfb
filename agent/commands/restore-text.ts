import type { RestorePlan } from '../backup/restore-plan.ts'
import type { UnfinishedRestore } from '../backup/unfinished-restore.ts'
import { Failure } from '../core/errors.ts'
import { formatBytes, formatDuration } from '../core/units.ts'
import type { RestoreOutcome } from '../sources/source.ts'
import type { CommandContext } from './context.ts'
import { printJson } from './outcome.ts'

export interface PlanText {
  readonly location: string
  readonly unfinished: UnfinishedRestore | undefined
  /** What will be done about a safety backup, as a sentence. */
  readonly safety: string
}

/** What is going to happen, before anything does. */
export function formatPlan(plan: RestorePlan, { location, unfinished, safety }: PlanText): string {
  const { manifest, target, drop, collections, documents, bytes, durationMs, notes } = plan
  const there = new Map(target.databases.map((database) => [database.name, database]))
  const drops = drop.map((name) => {
    const now = there.get(name)
    return now ? `${name} (${now.collections} collections, ${formatBytes(now.bytes)} now)` : `${name} (is not there)`
  })
  const single = collections.filter(({ place }) => !drop.includes(place.database)).map(({ place }) => place)
  const rows = [
    ['into', `MongoDB ${target.serverVersion} at ${target.host}`],
    ['drops', drops.join(', ') || 'no database'],
    ...(single.length > 0
      ? [
          [
            'replaces',
            `${single.length} collections: ${single
              .slice(0, 5)
              .map((one) => `${one.database}.${one.collection}`)
              .join(', ')}${single.length > 5 ? ', ...' : ''}`,
          ],
        ]
      : []),
    ['creates', `${collections.length} collections, ${documents} documents (${formatBytes(bytes)}), indexes, views`],
    ['takes', `about ${formatDuration(Math.max(1000, durationMs))}`],
    ['leaves', 'users, roles, and every other database as they are'],
    ['safety', safety],
  ]
  const title = `Restore ${manifest.backup_id} (${manifest.started_at}) of ${manifest.cluster_name} from ${location}\n`
  const goesOn = unfinished
    ? `  A restore of ${unfinished.backup_id} broke off (${unfinished.started_at}, while ${unfinished.stage}); this one takes its place.\n`
    : ''
  const lines = rows.map(([name = '', text]) => `  ${name.padEnd(9)}${text}\n`).join('')
  return `${title}${goesOn}${lines}${notes.map((note) => `Warning: ${note}\n`).join('')}`
}

export function formatSafety(
  { target }: RestorePlan,
  wanted: boolean,
  location: string,
  unfinished: UnfinishedRestore | undefined,
): string {
  if (unfinished?.safety) return `${unfinished.safety.backup_id}, made before the restore that broke off, is kept`
  if (!wanted) return 'none: what the target holds now cannot be brought back'
  const filled = target.databases.filter(({ collections }) => collections > 0).map(({ name }) => name)
  return filled.length > 0
    ? `${filled.join(', ')} are backed up to ${location} first`
    : 'nothing to save: the target holds none of these databases'
}

/** The plan for `--json`. */
export function planFacts(plan: RestorePlan, location: string) {
  const { manifest, target, drop, collections, documents, bytes, durationMs, notes } = plan
  return {
    ...{ backupId: manifest.backup_id, location, target, drop, documents, bytes, durationMs, notes },
    collections: collections.map(({ from, place }) => ({
      from: `${from.database}.${from.collection}`,
      to: `${place.database}.${place.collection}`,
      documents: from.documents,
    })),
  }
}

export interface Restored extends RestoreOutcome {
  readonly notes: readonly string[]
  readonly safetyBackup?: string
}

export function report(
  outcome: Restored,
  backupId: string,
  location: string,
  { json }: { readonly json?: boolean },
  context: CommandContext,
): void {
  if (json) {
    printJson({ backupId, location, ...outcome }, context)
    return
  }
  for (const text of [...outcome.problems, ...outcome.notes]) context.stderr.write(`Warning: ${text}\n`)
  context.stdout.write(
    `restored ${backupId} from ${location}: ${outcome.documents} documents in ${outcome.collections} collections, ` +
      `${outcome.indexes} indexes; the target was read back and is what the backup holds\n`,
  )
  if (outcome.safetyBackup) {
    context.stdout.write(
      `what was there before is in safety backup ${outcome.safetyBackup}; to go back: palette-backup restore --rollback\n`,
    )
  }
}

export async function confirm(phrase: string, { stderr, readLine }: CommandContext): Promise<void> {
  stderr.write(`\nThe backup is proven restorable. Type "${phrase}" to go on: `)
  const typed = await readLine()
  if (typed?.trim() === phrase) return
  throw new Failure('restoring: it was not confirmed, nothing was changed', {
    code: 'refused',
    hint: `Type exactly "${phrase}", or give --yes.`,
  })
}
