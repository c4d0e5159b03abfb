import { holdBackup } from '../backup/hold.ts'
import type { RestorePlan } from '../backup/restore.ts'
import { planRestore, proveBeforeRestore, restoreBackup } from '../backup/restore.ts'
import type { MongodbConfig } from '../config/config.ts'
import { Failure } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { formatBytes } from '../core/units.ts'
import type { SourceProgress } from '../sources/source.ts'
import { openLocations } from './compose.ts'
import { requireConfig, requirePolicy } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { createRunId } from './execute-backup.ts'
import type { BackupFilter } from './find-backups.ts'
import { findBackups, locationNames, pickBackup } from './find-backups.ts'
import type { IdentityOption } from './identity.ts'
import { readIdentity } from './identity.ts'
import type { OpenedInstallation } from './open-installation.ts'
import { openInstallation } from './open-installation.ts'
import { ARTIFACT_FORMATS, openMongodb } from './open-sources.ts'
import { printJson } from './outcome.ts'
import { thisOwner } from './owner.ts'
import { progressPrinter } from './progress.ts'
import {
  checkTarget,
  formatLeftByHand,
  formatObjects,
  type ObjectsRequest,
  pauseUpgrades,
  planObjectsOf,
  planStopping,
  writersOf,
} from './restore-installation.ts'
import { whilePaletteIsStopped } from './stopped-palette.ts'

export interface RestoreCommand extends CommonOptions, BackupFilter, ObjectsRequest, IdentityOption {
  readonly backup: string
  readonly database?: readonly string[]
  /** Name of the environment variable that holds the connection string of another target. */
  readonly toUriEnv?: string
  readonly yes?: boolean
  readonly dryRun?: boolean
}

/** Puts a backup back: plan, proof, confirmation, and only then the first change. */
export async function restoreCommand(options: RestoreCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { clock, signal, stderr } = context
  await using opened = await openLocations(config, locationNames(config, options), context)
  const { backup, location } = pickBackup(await findBackups(config, opened, options, signal), options.backup)
  const { clusterName } = config.palette
  const target = targetOf(options, context)
  using installed = target ? elsewhere(target) : await openInstallation(config, context)
  const source = openMongodb(requirePolicy(config, backup.policy), installed.installation.mongodb, context)
  const progress = options.json ? () => undefined : progressPrinter(context)
  const identity = await readIdentity(options, config, context)
  const restoreOptions = {
    signal,
    ...identity,
    onProgress: (state: SourceProgress) => progress({ type: 'run.progress', runId: '', ...state }),
    ...(options.database ? { databases: options.database } : {}),
  }
  const plan = await planRestore(location, clusterName, backup, restoreOptions)
  const warnings = target ? [] : checkTarget(plan.manifest, installed.installation)
  const objects = await planObjectsOf(config, installed, options, {
    ...{ location, manifest: plan.manifest, signal },
    ...identity,
  })
  const writers = writersOf(config, installed, context)
  const stops = await planStopping(installed, writers, signal)
  if (!options.json) {
    stderr.write(`${formatPlan(plan, location.name, options)}${stops}`)
    if (objects) stderr.write(formatObjects(objects))
    for (const warning of warnings) stderr.write(`Warning: ${warning}\n`)
  }
  if (options.dryRun) {
    const { manifest: _, ...facts } = plan
    const about = { backupId: backup.backupId, location: location.name, warnings, objects: objects?.changes ?? [] }
    if (options.json) printJson({ dryRun: true, ...about, ...facts }, context)
    return 0
  }
  const hold = {
    clusterName,
    runId: createRunId(),
    policy: backup.policy,
    backupId: backup.backupId,
    owner: thisOwner(),
    clock,
    signal,
    warn: (message: string) => stderr.write(`Warning: ${message}\n`),
  }
  const outcome = await holdBackup(location, hold, async () => {
    progress({ type: 'run.stage', runId: '', stage: 'proving' })
    await proveBeforeRestore(location, clusterName, backup, ARTIFACT_FORMATS, restoreOptions)
    if (!options.yes) await confirm(`RESTORE ${clusterName}`, context)
    progress({ type: 'run.stage', runId: '', stage: 'restoring' })
    const stopping = {
      signal,
      onProgress: (text: string) => stderr.write(`${text}\n`),
      ...(target ? {} : { prepare: () => pauseUpgrades(config, context) }),
    }
    return await whilePaletteIsStopped(writers, stopping, async () => {
      const result = await restoreBackup(location, clusterName, plan, source, restoreOptions)
      await objects?.apply(signal, (what) => stderr.write(`${what} is as in the backup\n`))
      return result
    })
  })
  progress({ type: 'run.stage', runId: '', stage: '' })
  if (options.json) printJson({ backupId: backup.backupId, location: location.name, ...outcome }, context)
  else {
    for (const problem of outcome.problems) stderr.write(`Warning: ${problem}\n`)
    context.stdout.write(
      `restored ${backup.backupId} from ${location.name}: ${outcome.documents} documents in ` +
        `${outcome.collections} collections, ${outcome.indexes} indexes\n`,
    )
    if (!target) stderr.write(formatLeftByHand(plan.manifest, installed, config, objects !== undefined))
  }
  return outcome.problems.length === 0 ? 0 : 3
}

function targetOf({ toUriEnv }: RestoreCommand, { env }: CommandContext): MongodbConfig | undefined {
  if (toUriEnv === undefined) return undefined
  const uri = env[toUriEnv]
  if (uri) return { uri: new Secret(uri) }
  throw new Failure(`the environment variable ${toUriEnv} is not set`, {
    code: 'config',
    hint: '--to-uri-env takes the name of a variable that holds the connection string of the target.',
  })
}

/** A MongoDB that the operator names has no installation around it that would be known. */
function elsewhere(mongodb: MongodbConfig): OpenedInstallation {
  const installation = { namespace: '', mongodb, facts: [], problems: [] }
  return { installation, client: undefined, [Symbol.dispose]: () => undefined }
}

function formatPlan(plan: RestorePlan, location: string, { toUriEnv }: RestoreCommand): string {
  const { manifest } = plan
  const target = toUriEnv === undefined ? 'the MongoDB of the configuration' : `the MongoDB that ${toUriEnv} names`
  return (
    `Restore ${manifest.backup_id} (${manifest.started_at}) of ${manifest.cluster_name} from ${location}\n` +
    `  into     ${target}\n` +
    `  drops    ${plan.databases.join(', ')}\n` +
    `  puts back ${plan.documents} documents (${formatBytes(plan.bytes)}) in ${plan.collections} collections\n`
  )
}

async function confirm(phrase: string, { stderr, readLine }: CommandContext): Promise<void> {
  stderr.write(`\nThe backup is proven restorable. Type "${phrase}" to go on: `)
  const typed = await readLine()
  if (typed?.trim() === phrase) return
  throw new Failure('restoring: it was not confirmed, nothing was changed', {
    code: 'refused',
    hint: `Type exactly "${phrase}", or give --yes.`,
  })
}
