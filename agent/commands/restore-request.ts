import { readCatalog, readManifest } from '../backup/catalog.ts'
import type { RestoreSelection } from '../backup/restore-selection.ts'
import { SAFETY_POLICY, type UnfinishedRestore } from '../backup/unfinished-restore.ts'
import type { Config, MongodbConfig, MongodbOrigin } from '../config/config.ts'
import { Failure } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import type { OpenedLocations } from './compose.ts'
import type { CommandContext, CommonOptions } from './context.ts'
import type { BackupFilter, FoundBackup } from './find-backups.ts'
import { findBackups, pickBackup } from './find-backups.ts'
import type { IdentityOption } from './identity.ts'
import type { OpenedInstallation } from './open-installation.ts'
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
  if (uri) return { uri: new Secret(uri), origin: originOf(`the environment variable ${toUriEnv}`) }
  throw new Failure(`the environment variable ${toUriEnv} is not set`, {
    code: 'config',
    hint: '--to-uri-env takes the name of a variable that holds the connection string of the target.',
  })
}

function originOf(holder: string): MongodbOrigin {
  return { account: `the account in ${holder}`, hosts: `the hosts in ${holder}` }
}

/** A MongoDB that the operator names has no installation around it that would be known. */
export function elsewhere(mongodb: MongodbConfig): OpenedInstallation {
  const installation = { namespace: '', mongodb, certificates: [], facts: [], problems: [] }
  return { installation, client: undefined, [Symbol.dispose]: () => undefined }
}

/** The backup that is to be put back. */
export async function chooseBackup(
  options: RestoreCommand,
  config: Config,
  opened: OpenedLocations,
  { host, unfinished }: { readonly host: string; readonly unfinished: UnfinishedRestore | undefined },
  context: CommandContext,
): Promise<FoundBackup> {
  if (!options.rollback) {
    const found = await findBackups(config, opened, { ...options, look: options.backup === 'latest' }, context)
    const chosen = pickBackup(found, options.backup)
    if (options.backup === 'latest')
      for (const { message } of found.problems) context.stderr.write(`Warning: ${message}\n`)
    return chosen
  }
  if (unfinished && !unfinished.safety) {
    throw new Failure(`rolling back ${unfinished.target}: there is no safety backup of it`, {
      code: 'not_found',
      hint: `It held nothing before, or none was wanted. Run the restore of ${unfinished.backup_id} again, or drop ${unfinished.databases.join(', ')}.`,
    })
  }
  for (const location of opened.usable) {
    const ref = { clusterName: config.palette.clusterName, policy: SAFETY_POLICY }
    const backups = await readCatalog(location, ref, context)
    const wanted = unfinished?.safety?.backup_id
    for (const backup of backups) {
      if (wanted !== undefined && backup.backupId !== wanted) continue
      // Those of other servers lie beside them: a scratch server, or the cluster this one took the place of.
      const { target } = await readManifest(location, ref, backup, context)
      if (wanted !== undefined || target === host) return { backup, location }
    }
  }
  throw new Failure(`rolling back ${host}: no location holds a safety backup of it`, { code: 'not_found' })
}
