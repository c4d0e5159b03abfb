import { pinBackup } from '../backup/pin.ts'
import { runBackup } from '../backup/run-backup.ts'
import type { PolicyConfig } from '../config/config.ts'
import { isAhead } from '../core/clock.ts'
import { Failure, failureData, toFailure } from '../core/errors.ts'
import { createArchiveFileSource, modifiedAt } from '../sources/mongodb/archive-file.ts'
import { openLocations } from './compose.ts'
import { choosePolicy, requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { createRunId } from './execute-backup.ts'
import type { BackupFilter } from './find-backups.ts'
import { type IdentityOption, readIdentity } from './identity.ts'
import { exitCodeOf, exitCodeOfFailure, formatFailure, printJson } from './outcome.ts'
import { isDead, thisOwner } from './owner.ts'
import { progressPrinter } from './progress.ts'

export interface ImportCommand extends CommonOptions, BackupFilter, IdentityOption {
  readonly archive: string
  /** ISO 8601; default: when the file was written to last. */
  readonly takenAt?: string
}

/**
 * Makes a backup of an archive that mongodump has written, so that it is kept, proven and restored like any other. It
 * bears the time of the dump, and is pinned: retention would otherwise take it for what it is, old.
 */
export async function importCommand(options: ImportCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { clock, signal, toolVersion, stderr } = context
  const { clusterName } = config.palette
  const named = choosePolicy(config, options.policy)
  const names = options.location === undefined ? named.backupLocations : [options.location]
  if (!names.every((name) => named.backupLocations.includes(name))) {
    throw new Failure(`policy ${named.name} does not write to ${names.join(', ')}`, {
      code: 'config',
      hint: `It writes to ${named.backupLocations.join(', ')}.`,
    })
  }
  const takenAt = await timeOf(options, context)
  const identity = await readIdentity(options, config, context)
  // With encryption, that it can be opened again is seen only where the identity is.
  const provable = !named.encryption || identity.identity !== undefined
  const policy: PolicyConfig = { ...named, backupLocations: names, verifyAfterBackup: provable ? 'decode' : 'content' }
  await using locations = await openLocations(config, names, context)
  const runId = createRunId()
  const { failure, ...facts } = await runBackup({
    ...{ runId, clusterName, policy, takenAt, purpose: 'import', proving: identity },
    sources: [createArchiveFileSource({ path: options.archive, takenAt, databases: policy.includeDatabases })],
    locations: locations.usable,
    unusable: locations.unusable,
    owner: thisOwner(),
    isDead: (record) => record.run_id !== runId && isDead(record, clock),
    ...{ toolVersion, clock, signal },
    emit: options.json ? () => undefined : progressPrinter(context),
  })
  const unpinned: string[] = []
  for (const location of locations.usable.filter(({ name }) => facts.stored.includes(name))) {
    const pin = { pinned_at: clock.now().toISOString(), reason: 'imported' }
    const backup = { policy: policy.name, backupId: facts.backupId }
    await pinBackup(location, clusterName, backup, pin, { signal }).catch((thrown: unknown) => {
      unpinned.push(location.name)
      const why = toFailure(thrown).message
      stderr.write(`Warning: it is not pinned in ${location.name}, and retention may delete it: ${why}\n`)
    })
  }
  if (options.json) printJson({ ...facts, unpinned, ...(failure ? { failure: failureData(failure) } : {}) }, context)
  else if (failure) stderr.write(formatFailure(failure))
  else context.stdout.write(`${facts.backupId} ${facts.result}\n`)
  if (facts.result === 'failed' && failure) return exitCodeOfFailure(failure)
  return facts.result === 'success' && unpinned.length > 0 ? 3 : exitCodeOf(facts.result)
}

async function timeOf({ archive, takenAt }: ImportCommand, { clock }: CommandContext): Promise<Date> {
  const modified = await modifiedAt(archive)
  const time = takenAt === undefined ? modified : new Date(takenAt)
  if (Number.isNaN(time.getTime())) {
    throw new Failure(`--taken-at ${takenAt}: expected a time as in 2026-11-24T02:00:00Z`, { code: 'config' })
  }
  if (!isAhead(time, clock.now())) return time
  throw new Failure(`importing ${archive}: its time, ${time.toISOString()}, has not come`, {
    code: 'config',
    hint: 'Say when the dump was made with --taken-at, or put the clock right.',
  })
}
