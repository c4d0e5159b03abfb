import type { PruneOutcome } from '../backup/prune.ts'
import { prune } from '../backup/prune.ts'
import { failureData } from '../core/errors.ts'
import { openLocations } from './compose.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { createRunId } from './execute-backup.ts'
import type { BackupFilter } from './find-backups.ts'
import { locationNames } from './find-backups.ts'
import { formatFailure, printJson } from './outcome.ts'
import { formatTable } from './table.ts'

export interface PruneCommand extends CommonOptions, BackupFilter {
  readonly dryRun?: boolean
}

interface PolicyPrune extends PruneOutcome {
  readonly policy: string
}

/** Applies retention now and says for every backup why it stays or goes. */
export async function pruneCommand(options: PruneCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { signal, clock } = context
  await using opened = await openLocations(config, locationNames(config, options), clock)
  const outcomes: PolicyPrune[] = []
  const unread = opened.unusable.map(({ name, failure }) => ({ location: name, failure: failureData(failure) }))
  for (const policy of config.policies) {
    if (options.policy !== undefined && policy.name !== options.policy) continue
    for (const location of opened.usable) {
      if (!policy.backupLocations.includes(location.name)) continue
      try {
        const outcome = await prune(location, {
          clusterName: config.palette.clusterName,
          policy: policy.name,
          rule: policy,
          now: clock.now(),
          runId: createRunId(),
          emit: () => undefined,
          signal,
          dryRun: options.dryRun ?? false,
        })
        outcomes.push({ policy: policy.name, ...outcome })
      } catch (thrown) {
        unread.push({ location: location.name, failure: failureData(thrown) })
      }
    }
  }
  if (options.json) printJson({ dryRun: options.dryRun ?? false, outcomes, unread }, context)
  else print(outcomes, unread, options, context)
  const problems = outcomes.flatMap((outcome) => outcome.problems)
  return problems.length + unread.length === 0 ? 0 : 3
}

function print(
  outcomes: readonly PolicyPrune[],
  unread: readonly { readonly failure: { readonly message: string; readonly hint?: string } }[],
  { dryRun }: PruneCommand,
  { stdout, stderr }: CommandContext,
): void {
  const rows = outcomes.flatMap(({ policy, location, decisions }) =>
    decisions.map(({ backupId, keep, reason }) => [
      backupId,
      policy,
      location,
      keep ? 'keep' : dryRun ? 'would delete' : 'delete',
      reason,
    ]),
  )
  stdout.write(formatTable(['BACKUP', 'POLICY', 'LOCATION', 'DECISION', 'REASON'], rows))
  for (const problem of outcomes.flatMap((outcome) => outcome.problems))
    stderr.write(formatFailure({ message: problem }))
  for (const { failure } of unread) stderr.write(formatFailure(failure))
}
