import { Failure } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import { formatBytes, MIB, SECOND_MS } from '../core/units.ts'
import type { Location } from '../locations/location.ts'
import type { ReadOptions, RestorableSource, TargetFacts } from '../sources/source.ts'
import { readManifest } from './catalog.ts'
import type { Manifest } from './manifest.ts'
import { mongodbArtifacts } from './manifest-artifact.ts'
import type { RestoreSelection, Selected } from './restore-selection.ts'
import { selectCollections } from './restore-selection.ts'

export interface RestorePlan extends Selected {
  readonly manifest: Manifest
  readonly target: TargetFacts
  readonly documents: number
  readonly bytes: number
  /** Roughly, and rather too long than too short. */
  readonly durationMs: number
  /** What could not be compared or will not be put back, as sentences. */
  readonly notes: readonly string[]
}

/** Proof, inserts with indexes, comparison: so many bytes of documents a second, all three together. */
const BYTES_PER_SECOND = 25 * MIB
/** What a restored byte needs on the disk of the target at most, for a while. */
const ROOM = 1.2

/**
 * What a restore would do to the target, and whether it may: rejects with code `refused` what would not give a working
 * installation. Nothing is changed.
 */
export async function planRestore(
  location: Location,
  clusterName: string,
  backup: BackupSummary,
  source: Pick<RestorableSource, 'look'>,
  options: ReadOptions & RestoreSelection,
): Promise<RestorePlan> {
  const manifest = await readManifest(location, { clusterName }, backup, options)
  const selected = selectCollections(manifest, options)
  const target = await source.look(selected.databases, options)
  checkNames(manifest, target)
  const documents = selected.collections.reduce((sum, { from }) => sum + from.documents, 0)
  const bytes = selected.collections.reduce((sum, { from }) => sum + from.bytes, 0)
  const durationMs = (bytes / BYTES_PER_SECOND) * SECOND_MS
  const notes = [...compareServers(manifest, target), ...checkRoom(manifest, target, bytes), ...leftOut(manifest)]
  return { ...selected, manifest, target, documents, bytes, durationMs, notes }
}

/** Refuses an older server and missing rights; gives what could not be told. */
function compareServers(manifest: Manifest, target: TargetFacts): string[] {
  const notes: string[] = []
  for (const { mongodb } of mongodbArtifacts(manifest.artifacts)) {
    const { server_version: version, feature_compatibility_version: fcv } = mongodb
    if (majorOf(target.serverVersion) < majorOf(version)) {
      throw refused(
        manifest,
        `its data is from MongoDB ${version}, the target is the older MongoDB ${target.serverVersion}`,
        `Restore into MongoDB ${majorOf(version)} or newer.`,
      )
    }
    const targetFcv = target.featureCompatibilityVersion
    if (fcv !== undefined && targetFcv !== undefined && Number(targetFcv) < Number(fcv)) {
      throw refused(
        manifest,
        `its feature compatibility version is ${fcv}, that of the target ${targetFcv}`,
        `Raise it first: db.adminCommand({ setFeatureCompatibilityVersion: "${fcv}", confirm: true })`,
      )
    }
    if (fcv === undefined || targetFcv === undefined) {
      notes.push('feature compatibility versions could not be compared: the backup or the target does not tell its own')
    }
  }
  const { missingRights } = target
  if (missingRights === undefined) notes.push('the target does not tell what its user may do')
  else if (missingRights.length > 0) {
    const shown = missingRights.slice(0, 6).join(', ')
    throw refused(
      manifest,
      `the user of the target may not: ${shown}${missingRights.length > 6 ? ' and more' : ''}`,
      'Grant it the built-in role restore (or root) on the database admin.',
      'permission',
    )
  }
  return notes
}

/** MongoDB manual, Naming Restrictions, "Database Name Case Sensitivity": seen only when others are gone already. */
function checkNames(manifest: Manifest, { alike = [] }: TargetFacts): void {
  if (alike.length === 0) return
  throw refused(
    manifest,
    `the target has ${alike.join(', ')}, and MongoDB takes no database whose name differs from that only in case`,
    'Choose another name with --rename-database, or drop the other database.',
  )
}

function checkRoom(manifest: Manifest, { freeBytes, databases }: TargetFacts, bytes: number): string[] {
  if (freeBytes === undefined) return ['the target does not tell how much room its disk has']
  const freed = databases.reduce((sum, database) => sum + database.bytes, 0)
  if (bytes * ROOM <= freeBytes + freed) return []
  // Documents are compressed on the disk of most servers: it may fit all the same.
  if (bytes / 4 <= freeBytes + freed) {
    return [`${formatBytes(bytes)} are put back, and the disk of the target has ${formatBytes(freeBytes)} free`]
  }
  throw refused(
    manifest,
    `${formatBytes(bytes)} are to be put back, and the disk of the target has ${formatBytes(freeBytes)} free`,
    'Make room, or restore only what is needed with --include.',
    'no_space',
  )
}

function leftOut(manifest: Manifest): string[] {
  const partial = manifest.result === 'partial' ? ['THE BACKUP IS PARTIAL: a source could not give everything'] : []
  return [...partial, ...manifest.warnings.map((warning) => `of the backup: ${warning}`)]
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10) || 0
}

function refused(manifest: Manifest, why: string, hint: string, code: Failure['code'] = 'refused'): Failure {
  return new Failure(`restoring ${manifest.backup_id}: ${why}. Nothing was changed`, { code, hint })
}
