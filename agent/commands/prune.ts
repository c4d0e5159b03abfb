import { InFlight } from '../backup/in-flight.ts'
import type { PruneOutcome } from '../backup/prune.ts'
import { prune } from '../backup/prune.ts'
import type { SweepPlan } from '../backup/sweep.ts'
import { planSweep } from '../backup/sweep.ts'
import type { Config, PolicyConfig } from '../config/config.ts'
import { failureData } from '../core/errors.ts'
import { formatBytes } from '../core/units.ts'
import type { Location } from '../locations/location.ts'
import { openLocations } from './compose.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import { createRunId } from './execute-backup.ts'
import type { BackupFilter } from './find-backups.ts'
import { locationNames } from './find-backups.ts'
import { formatFailure, printJson } from './outcome.ts'
import { isDead, thisOwner } from './owner.ts'
import { formatTable } from './table.ts'

export interface PruneCommand extends CommonOptions, BackupFilter {
  readonly dryRun?: boolean
  readonly force?: boolean
}

interface PolicyPrune extends PruneOutcome {
  readonly policy: string
  /** What the next backup run cleans up there; looked for where nothing is deleted. */
  readonly leftovers?: SweepPlan
}

/** Applies retention now and says for every backup why it stays or goes. */
export async function pruneCommand(options: PruneCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  await using opened = await openLocations(config, locationNames(config, options), context)
  const outcomes: PolicyPrune[] = []
  const unread = opened.unusable.map(({ name, failure }) => ({ location: name, failure: failureData(failure) }))
  for (const policy of config.policies) {
    if (options.policy !== undefined && policy.name !== options.policy) continue
    for (const location of opened.usable) {
      if (!policy.backupLocations.includes(location.name)) continue
      try {
        const outcome = await pruneOne(location, policy, config.palette.clusterName, options, context)
        const leftovers = options.dryRun ? { leftovers: await leftBy(location, policy, config, context) } : {}
        outcomes.push({ policy: policy.name, ...outcome, ...leftovers })
      } catch (thrown) {
        unread.push({ location: location.name, failure: failureData(thrown) })
      }
    }
  }
  if (options.json) printJson({ dryRun: options.dryRun ?? false, outcomes, unread }, context)
  else print(outcomes, unread, options, context)
  if (outcomes.some(({ refused }) => refused)) return 4
  const problems = outcomes.flatMap((outcome) => outcome.problems)
  return problems.length + unread.length === 0 ? 0 : 3
}

async function pruneOne(
  location: Location,
  policy: PolicyConfig,
  clusterName: string,
  { dryRun = false, force = false }: PruneCommand,
  { clock, signal }: CommandContext,
): Promise<PruneOutcome> {
  const runId = createRunId()
  let record: InFlight | undefined
  const outcome = await prune(location, {
    clusterName,
    policy: policy.name,
    rule: policy,
    now: clock.now(),
    runId,
    isDead: (other) => isDead(other, clock),
    emit: () => undefined,
    signal,
    async onDeleting(backupIds) {
      const backupId = backupIds[0] ?? ''
      record = new InFlight(location, {
        clusterName,
        runId,
        policy: policy.name,
        backupId,
        doing: 'prune',
        owner: thisOwner(),
        clock,
        signal,
      })
      await record.open()
      await record.rememberDeleting(backupIds)
    },
    dryRun,
    force,
  })
  // A record that stays lets the next run finish what could not be deleted now.
  await (outcome.unfinished ? record?.stop() : record?.close(signal))
  return outcome
}

function leftBy(
  location: Location,
  policy: PolicyConfig,
  config: Config,
  { clock, signal }: CommandContext,
): Promise<SweepPlan> {
  return planSweep(location, {
    clusterName: config.palette.clusterName,
    policies: [policy.name],
    now: clock.now(),
    isDead: (record) => isDead(record, clock),
    signal,
  })
}

function refusal(policy: string, location: string, why: string) {
  const hint = 'Check the clock and the reasons above; if they are right: palette-backup prune --force'
  return { message: `nothing of ${policy} is deleted in ${location}: ${why}`, hint }
}

function print(
  outcomes: readonly PolicyPrune[],
  unread: readonly { readonly failure: { readonly message: string; readonly hint?: string } }[],
  { dryRun }: PruneCommand,
  { stdout, stderr }: CommandContext,
): void {
  const rows = outcomes.flatMap(({ policy, location, decisions, refused }) =>
    decisions.map(({ backupId, keep, reason }) => [
      backupId,
      policy,
      location,
      keep ? 'keep' : dryRun || refused ? 'would delete' : 'delete',
      reason,
    ]),
  )
  stdout.write(formatTable(['BACKUP', 'POLICY', 'LOCATION', 'DECISION', 'REASON'], rows))
  for (const { location, leftovers } of outcomes) {
    for (const { run_id, leftovers: held } of leftovers?.deadRuns ?? []) {
      stdout.write(
        `Run ${run_id} died and left ${held.length} unfinished uploads in ${location}: the next run removes them.\n`,
      )
    }
    for (const { handle } of leftovers?.strays ?? []) {
      stdout.write(`${handle} in ${location} was left by a run that died: the next run removes it.\n`)
    }
    for (const { backupId, objects, bytes } of leftovers?.orphans ?? []) {
      const size = formatBytes(bytes)
      stdout.write(
        `${backupId} in ${location} has no manifest: the next run removes its ${objects} objects, ${size}.\n`,
      )
    }
  }
  for (const { policy, location, refused, problems } of outcomes) {
    if (refused) stderr.write(formatFailure(refusal(policy, location, refused)))
    for (const problem of problems) stderr.write(formatFailure({ message: problem }))
  }
  for (const { failure } of unread) stderr.write(formatFailure(failure))
}
