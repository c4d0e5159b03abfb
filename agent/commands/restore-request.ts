import { readCatalog } from '../backup/catalog.ts'
import type { InFlightRecord } from '../backup/in-flight.ts'
import type { RestoreSelection } from '../backup/restore-selection.ts'
import { isUnderWay, SAFETY_POLICY, type UnfinishedRestore, unfinishedRestores } from '../backup/unfinished-restore.ts'
import type { Config, MongodbConfig } from '../config/config.ts'
import { Failure } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import type { Location } from '../locations/location.ts'
import type { OpenedLocations } from './compose.ts'
import type { CommandContext, CommonOptions } from './context.ts'
import type { BackupFilter, FoundBackup } from './find-backups.ts'
import { findBackups, pickBackup } from './find-backups.ts'
import type { IdentityOption } from './identity.ts'
import type { OpenedInstallation } from './open-installation.ts'
import { isDead } from './owner.ts'
import type { ObjectsRequest } from './restore-installation.ts'

export interface RestoreCommand extends CommonOptions, BackupFilter, ObjectsRequest, IdentityOption {
  readonly backup: string
  /** `hubbledb`, `hubbledb.*`, `hubbledb.users` */
  readonly include?: readonly string[]
  /** `hubbledb=hubbledb_check` */
  readonly renameDatabase?: readonly string[]
  /** Name of the environment variable that holds the connection string of another target. */
  readonly toUriEnv?: string
  /** Put back what the target held before the last restore. */
  readonly rollback?: boolean
  /** False: the target is not backed up before it is changed. */
  readonly safetyBackup?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
}

export function selectionOf({ include, renameDatabase = [] }: RestoreCommand): RestoreSelection {
  const rename = renameDatabase.map((text): [string, string] => {
    const [from = '', to = '', ...more] = text.split('=')
    if (from !== '' && to !== '' && more.length === 0) return [from, to]
    throw new Failure(`--rename-database ${text}: expected old=new, as in hubbledb=hubbledb_check`, { code: 'config' })
  })
  return { ...(include ? { include } : {}), rename: Object.fromEntries(rename) }
}

export function targetOf(
  { toUriEnv }: Pick<RestoreCommand, 'toUriEnv'>,
  { env }: CommandContext,
): MongodbConfig | undefined {
  if (toUriEnv === undefined) return undefined
  const uri = env[toUriEnv]
  if (uri) return { uri: new Secret(uri) }
  throw new Failure(`the environment variable ${toUriEnv} is not set`, {
    code: 'config',
    hint: '--to-uri-env takes the name of a variable that holds the connection string of the target.',
  })
}

/** A MongoDB that the operator names has no installation around it that would be known. */
export function elsewhere(mongodb: MongodbConfig): OpenedInstallation {
  const installation = { namespace: '', mongodb, facts: [], problems: [] }
  return { installation, client: undefined, [Symbol.dispose]: () => undefined }
}

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
    throw new Failure(
      `restoring into ${host}: a restore of ${id} is under way (process ${owner.pid} on ${owner.host})`,
      {
        code: 'refused',
        hint: 'Wait for its end.',
      },
    )
  }
  return undefined
}

/** The backup that is to be put back. */
export async function chooseBackup(
  options: RestoreCommand,
  config: Config,
  opened: OpenedLocations,
  unfinished: UnfinishedRestore | undefined,
  { signal }: CommandContext,
): Promise<FoundBackup> {
  if (!options.rollback) return pickBackup(await findBackups(config, opened, options, signal), options.backup)
  if (unfinished && !unfinished.safety) {
    throw new Failure(`rolling back ${unfinished.target}: there is no safety backup of it`, {
      code: 'not_found',
      hint: `It held nothing before, or none was wanted. Run the restore of ${unfinished.backup_id} again, or drop ${unfinished.databases.join(', ')}.`,
    })
  }
  for (const location of opened.usable) {
    const ref = { clusterName: config.palette.clusterName, policy: SAFETY_POLICY }
    const backups = await readCatalog(location, ref, { signal })
    const wanted = unfinished?.safety?.backup_id
    const backup = backups.find(({ backupId }) => backupId === (wanted ?? backupId))
    if (backup) return { backup, location }
  }
  throw new Failure('rolling back: no location holds a safety backup', { code: 'not_found' })
}

/** A half-restored database that this restore would leave as it is must not be taken for a whole one. */
export function checkCovers(unfinished: UnfinishedRestore | undefined, databases: readonly string[]): void {
  const left = unfinished?.databases.filter((name) => !databases.includes(name)) ?? []
  if (!unfinished || left.length === 0) return
  throw new Failure(
    `restoring into ${unfinished.target}: the restore of ${unfinished.backup_id} broke off, and this one leaves its ${left.join(', ')} half done`,
    {
      code: 'refused',
      hint: `Finish it with: palette-backup restore ${unfinished.backup_id}\n  or undo it with: palette-backup restore --rollback`,
    },
  )
}
