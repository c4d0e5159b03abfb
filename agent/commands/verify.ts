import { holdBackup } from '../backup/hold.ts'
import { isDamaged, keepOutcome, scratchPrefix } from '../backup/proof.ts'
import type { VerifyOptions, VerifyOutcome } from '../backup/verify.ts'
import { verifyBackup, whatIsWrong } from '../backup/verify.ts'
import type { VerifyLevel } from '../backup/verify-level.ts'
import { Failure, toFailure } from '../core/errors.ts'
import { openLocations } from './compose.ts'
import { requireConfig, requirePolicy } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { createRunId } from './execute-backup.ts'
import type { BackupFilter, Found, FoundBackup } from './find-backups.ts'
import { findBackups, isFromFuture, locationNames } from './find-backups.ts'
import type { IdentityOption } from './identity.ts'
import { readIdentity } from './identity.ts'
import { openInstallation } from './open-installation.ts'
import { ARTIFACT_FORMATS, openMongodb } from './open-sources.ts'
import { formatFailure, printJson } from './outcome.ts'
import { thisOwner } from './owner.ts'
import { elsewhere, targetOf } from './restore-request.ts'

export interface VerifyCommand extends CommonOptions, BackupFilter, IdentityOption {
  readonly backup: string
  readonly level: VerifyLevel
  /** Name of the environment variable with the connection string of the server for level `restore`. */
  readonly toUriEnv?: string
}

const PROVES: Readonly<Record<VerifyLevel, string>> = {
  stored: 'every artifact is there with its size',
  content: 'its bytes are those that were written',
  decode: 'its bytes are those that were written; they unpack, and hold every document with its checksum',
  restore: 'it was put into scratch databases, read back from there, compared document by document, and dropped again',
}

/** Proves stored backups in every location that the filter leaves, and keeps the proof beside them. */
export async function verifyCommand(options: VerifyCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { signal, clock, stderr, stdout, toolVersion } = context
  const { clusterName } = config.palette
  await using opened = await openLocations(config, locationNames(config, options), context)
  const found = await findBackups(config, opened, options, context)
  const identity = await readIdentity(options, config, context)
  const wanted = chosen(found, options.backup)
  const target = options.level === 'restore' ? targetOf(options, context) : undefined
  using installed =
    options.level !== 'restore' ? undefined : target ? elsewhere(target) : await openInstallation(config, context)
  const scratchFor = ({ backup, location }: FoundBackup): Pick<VerifyOptions, 'scratch'> => {
    if (!installed) return {}
    const source = openMongodb(requirePolicy(config, backup.policy), installed.installation.mongodb, context)
    return { scratch: { source, prefix: scratchPrefix(clusterName, backup.policy, location.name) } }
  }
  const warn = (message: string): void => void stderr.write(`Warning: ${message}\n`)
  const outcomes: VerifyOutcome[] = []
  for (const one of wanted) {
    const { backup, location } = one
    const { level } = options
    const verifying = { clusterName, level, sources: ARTIFACT_FORMATS, signal, ...identity, ...scratchFor(one) }
    const { policy, backupId } = backup
    const owner = thisOwner()
    const hold = { clusterName, runId: createRunId(), policy, backupId, doing: 'verify', owner, clock, signal } as const
    const outcome = await holdBackup(location, { ...hold, warn }, () => verifyBackup(location, backup, verifying))
    outcomes.push(outcome)
    if (!options.json) stdout.write(formatOutcome(outcome))
    const proof = { verified_at: clock.now().toISOString(), tool_version: toolVersion }
    await keepOutcome(location, clusterName, outcome, proof, { signal }).catch((thrown: unknown) => {
      warn(`the outcome could not be kept in ${location.name}: ${toFailure(thrown).message}`)
    })
  }
  if (options.json) printJson({ backups: outcomes, unread: found.unread }, context)
  else for (const { failure } of found.unread) stderr.write(formatFailure(failure))
  if (outcomes.some((outcome) => !outcome.ok)) return 1
  return found.unread.length > 0 ? 3 : 0
}

/** The named backup, the newest of each policy, or all; each in every location that has it. */
function chosen(found: Found, wanted: string): readonly FoundBackup[] {
  if (wanted === 'all') return found.backups
  const ids = wanted === 'latest' ? new Set(newestOfEachPolicy(found)) : new Set([wanted])
  const match = found.backups.filter(({ backup }) => ids.has(backup.backupId))
  if (match.length > 0) return match
  throw new Failure(wanted === 'latest' ? 'there is no complete backup' : `there is no backup ${wanted}`, {
    code: 'not_found',
    hint: 'See what there is with: palette-backup list',
  })
}

function newestOfEachPolicy(found: Found): string[] {
  const candidates = found.backups.filter((one) => one.backup.complete && !isFromFuture(one.backup, found))
  const policies = new Set(candidates.map(({ backup }) => backup.policy))
  return [...policies].flatMap((policy) => {
    const newest = candidates.find(({ backup }) => backup.policy === policy)
    return newest ? [newest.backup.backupId] : []
  })
}

/** A wrong identity, or a location that does not answer, says nothing about the backup. */
function formatOutcome(outcome: VerifyOutcome): string {
  const title = `${outcome.backupId} in ${outcome.location}`
  const { level, ok, documents } = outcome
  if (ok) return `${title}: verified (${level}): ${PROVES[level]}; ${documents} documents\n`
  const failed = outcome.checks.find((check) => !check.ok)
  const verdict = isDamaged(outcome) ? 'NOT RESTORABLE' : 'could not be proven'
  const hint = failed?.failure?.hint
  return `${title}: ${verdict} (${failed?.level}): ${whatIsWrong(outcome)}\n${hint === undefined ? '' : `  ${hint}\n`}`
}
