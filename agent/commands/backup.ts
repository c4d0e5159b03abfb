import { failureData } from '../core/errors.ts'
import { choosePolicy, requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { executeBackup } from './execute-backup.ts'
import { exitCodeOf, exitCodeOfFailure, formatFailure, printJson } from './outcome.ts'
import { progressPrinter } from './progress.ts'

export interface BackupCommand extends CommonOptions {
  readonly policy?: string
}

/** Makes one backup now. */
export async function backupCommand(options: BackupCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const policy = choosePolicy(config, options.policy).name
  const emit = options.json ? () => undefined : progressPrinter(context)
  const outcome = await executeBackup({ config, policy, emit }, context)
  const { failure, ...facts } = outcome
  if (options.json) printJson({ ...facts, ...(failure ? { failure: failureData(failure) } : {}) }, context)
  else if (failure) context.stderr.write(formatFailure(failure))
  else context.stdout.write(`${outcome.backupId} ${outcome.result}\n`)
  return outcome.result === 'failed' && failure ? exitCodeOfFailure(failure) : exitCodeOf(outcome.result)
}
