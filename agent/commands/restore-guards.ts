import type { InFlightRecord } from '../backup/in-flight.ts'
import { type InUseOptions, otherRuns } from '../backup/in-use.ts'
import { mongodbArtifacts } from '../backup/manifest-artifact.ts'
import type { RestorePlan } from '../backup/restore-plan.ts'
import { isUnderWay, leftHalfDone, type UnfinishedRestore, unfinishedRestores } from '../backup/unfinished-restore.ts'
import type { Config } from '../config/config.ts'
import { Failure } from '../core/errors.ts'
import type { Location } from '../locations/location.ts'
import { hostsIn } from '../sources/mongodb/connect.ts'
import type { OpenedLocations } from './compose.ts'
import type { CommandContext } from './context.ts'
import { isDead } from './owner.ts'

/** The restore of this target that was begun and not finished, and where it is on record. */
export async function unfinishedOf(
  { usable }: OpenedLocations,
  clusterName: string,
  host: string,
  { clock, signal }: CommandContext,
): Promise<{ readonly record: UnfinishedRestore; readonly location: Location } | undefined> {
  for (const location of usable) {
    const records = await unfinishedRestores(location, clusterName, { signal })
    const record = records.find(({ target }) => target === host)
    if (!record) continue
    const dead = { isDead: (run: InFlightRecord) => isDead(run, clock) }
    if (!(await isUnderWay(location, clusterName, record, { signal, ...dead }))) return { record, location }
    const { owner, backup_id: id } = record
    throw underWay(host, `a restore of ${id}`, owner)
  }
  return undefined
}

/** A half-restored database that this restore would leave as it is must not be taken for a whole one. */
export function checkCovers(unfinished: UnfinishedRestore | undefined, plan: RestorePlan): void {
  const left = unfinished ? leftHalfDone(unfinished, plan) : []
  if (!unfinished || left.length === 0) return
  throw new Failure(
    `restoring into ${unfinished.target}: the restore of ${unfinished.backup_id} broke off, and this one leaves its ${left.slice(0, 5).join(', ')} half done`,
    {
      code: 'refused',
      hint: `Finish it with: palette-backup restore ${unfinished.backup_id}\n  or undo it with: palette-backup restore --rollback`,
    },
  )
}

export interface OtherRunsOptions extends Omit<InUseOptions, 'isDead'> {
  readonly target: string
  /** The target is the MongoDB that policies back up. */
  readonly own: boolean
  readonly clock: CommandContext['clock']
}

/**
 * Two restores into one server would mix two backups; a backup that is being read from it would mix two states. This
 * run is on record by now, so that of two that begin at once at least one sees the other.
 */
export async function refuseOthers(locations: readonly Location[], options: OtherRunsOptions): Promise<void> {
  const { target, own, clock } = options
  for (const location of locations) {
    const others = await otherRuns(location, { ...options, isDead: (record) => isDead(record, clock) })
    const restore = others.find((record) => record.doing === 'restore' && record.target === target)
    if (restore) throw underWay(target, `a restore of ${restore.backup_id}`, restore.owner)
    const backup = own ? others.find((record) => record.doing === 'backup') : undefined
    if (backup) throw underWay(target, `a backup of policy ${backup.policy}`, backup.owner)
  }
}

function underWay(target: string, what: string, { pid, host }: InFlightRecord['owner']): Failure {
  return new Failure(
    `restoring into ${target}: ${what} is under way (process ${pid} on ${host}). Nothing was changed`,
    {
      code: 'refused',
      hint: 'Wait for its end.',
    },
  )
}

/** Under another name than its own nothing would be compared with the installation, and nothing of it stopped. */
export function refuseOwnServer({ manifest, target, databases }: RestorePlan, { palette }: Config): void {
  if (!palette.mongodb) return
  const own = hostsIn(palette.mongodb).split(',')
  if (!target.host.split(',').some((host) => own.includes(host))) return
  const held = mongodbArtifacts(manifest.artifacts).flatMap(({ mongodb }) => mongodb.databases)
  if (!databases.some((name) => held.includes(name))) return
  throw new Failure(`restoring ${manifest.backup_id}: ${target.host} is the MongoDB of this installation itself`, {
    code: 'refused',
    hint: 'Leave --to-uri-env out: then the installation is checked, and Palette is stopped meanwhile. Nothing was changed.',
  })
}
