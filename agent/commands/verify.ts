import type { VerifyLevel, VerifyOutcome } from '../backup/verify.ts'
import { verifyBackup } from '../backup/verify.ts'
import { Failure } from '../core/errors.ts'
import { openLocations } from './compose.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import type { BackupFilter, Found, FoundBackup } from './find-backups.ts'
import { findBackups, locationNames } from './find-backups.ts'
import type { IdentityOption } from './identity.ts'
import { readIdentity } from './identity.ts'
import { ARTIFACT_FORMATS } from './open-sources.ts'
import { formatFailure, printJson } from './outcome.ts'

export interface VerifyCommand extends CommonOptions, BackupFilter, IdentityOption {
  readonly backup: string
  readonly level: VerifyLevel
}

const PROVES: Readonly<Record<VerifyLevel, string>> = {
  stored: 'every artifact is there with its size',
  content: 'its bytes are those that were written',
  decode: 'its bytes are those that were written; they unpack, and hold every document with its checksum',
}

/** Proves stored backups in every location that the filter leaves. */
export async function verifyCommand(options: VerifyCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { signal } = context
  await using opened = await openLocations(config, locationNames(config, options), context)
  const found = await findBackups(config, opened, options, signal)
  const identity = await readIdentity(options, config, context)
  const outcomes: VerifyOutcome[] = []
  for (const { backup, location } of chosen(found, options.backup)) {
    const { clusterName } = config.palette
    const outcome = await verifyBackup(location, backup, {
      clusterName,
      level: options.level,
      sources: ARTIFACT_FORMATS,
      signal,
      ...identity,
    })
    outcomes.push(outcome)
    if (!options.json) context.stdout.write(formatOutcome(outcome, options.level))
  }
  if (options.json) printJson({ backups: outcomes, unread: found.unread }, context)
  else for (const { failure } of found.unread) context.stderr.write(formatFailure(failure))
  if (outcomes.some((outcome) => !outcome.ok)) return 1
  return found.unread.length > 0 ? 3 : 0
}

/** The named backup, the newest of each policy, or all; each in every location that has it. */
function chosen({ backups }: Found, wanted: string): readonly FoundBackup[] {
  if (wanted === 'all') return backups
  const ids = wanted === 'latest' ? new Set(newestOfEachPolicy(backups)) : new Set([wanted])
  const match = backups.filter(({ backup }) => ids.has(backup.backupId))
  if (match.length > 0) return match
  throw new Failure(wanted === 'latest' ? 'there is no complete backup' : `there is no backup ${wanted}`, {
    code: 'not_found',
    hint: 'See what there is with: palette-backup list',
  })
}

function newestOfEachPolicy(backups: readonly FoundBackup[]): string[] {
  const policies = new Set(backups.map(({ backup }) => backup.policy))
  return [...policies].flatMap((policy) => {
    const newest = backups.find(({ backup }) => backup.policy === policy && backup.complete)
    return newest ? [newest.backup.backupId] : []
  })
}

function formatOutcome(outcome: VerifyOutcome, level: VerifyLevel): string {
  const title = `${outcome.backupId} in ${outcome.location}`
  if (outcome.ok) return `${title}: verified (${level}): ${PROVES[level]}; ${outcome.documents} documents\n`
  const failed = outcome.checks.find((check) => !check.ok)
  return `${title}: NOT RESTORABLE (${failed?.level}): ${failed?.failure?.message}\n`
}
