import { holdBackup } from '../backup/hold.ts'
import { proveBeforeRestore } from '../backup/restore.ts'
import type { RestorePlan } from '../backup/restore-plan.ts'
import { planRestore } from '../backup/restore-plan.ts'
import type { UnfinishedRestore } from '../backup/unfinished-restore.ts'
import type { Config, PolicyConfig } from '../config/config.ts'
import type { RunEvent } from '../core/events.ts'
import type { SourceProgress } from '../sources/source.ts'
import { openLocations } from './compose.ts'
import { choosePolicy, requireConfig } from './configuration.ts'
import type { CommandContext, ExitCode } from './context.ts'
import { createRunId } from './execute-backup.ts'
import { locationNames } from './find-backups.ts'
import { readIdentity } from './identity.ts'
import { openInstallation } from './open-installation.ts'
import { ARTIFACT_FORMATS, openMongodb } from './open-sources.ts'
import { printJson } from './outcome.ts'
import { thisOwner } from './owner.ts'
import { performRestore } from './perform-restore.ts'
import { progressPrinter } from './progress.ts'
import { checkCovers, refuseOthers, refuseOwnServer, unfinishedOf } from './restore-guards.ts'
import {
  checkTarget,
  formatLeftByHand,
  formatObjects,
  pauseUpgrades,
  planObjectsOf,
  planStopping,
  putObjectsBack,
  writersOf,
} from './restore-installation.ts'
import type { RestoreCommand } from './restore-request.ts'
import { chooseBackup, elsewhere, selectionOf, targetOf } from './restore-request.ts'
import { confirm, formatPlan, formatSafety, planFacts, report } from './restore-text.ts'
import { makeSafetyBackup } from './safety-backup.ts'

/** Puts a backup back: plan, proof, confirmation, safety backup, and only then the first change; then comparison. */
export async function restoreCommand(options: RestoreCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { clock, signal, stderr } = context
  const { clusterName } = config.palette
  await using opened = await openLocations(config, locationNames(config, options), context)
  const other = targetOf(options, context)
  using installed = other ? elsewhere(other) : await openInstallation(config, context)
  const source = openMongodb(policyOf(config, options.policy), installed.installation.mongodb, context)
  const emit = options.json ? () => undefined : progressPrinter(context)
  const stage = (name: string): void => emit({ type: 'run.stage', runId: '', stage: name })
  const identity = await readIdentity(options, config, context)
  const unpack = {
    ...{ signal, ...identity },
    onProgress: (state: SourceProgress) => emit({ type: 'run.progress', runId: '', ...state }),
  }
  const { host } = await source.look([], unpack)
  const unfinished = await unfinishedOf(opened, clusterName, host, context)
  const { backup, location } = await chooseBackup(
    options,
    config,
    opened,
    { host, unfinished: unfinished?.record },
    context,
  )
  const selection = options.rollback ? {} : selectionOf(options)
  const planned = await planRestore(location, clusterName, backup, source, { ...unpack, ...selection })
  const plan = options.rollback ? withRestored(planned, unfinished?.record) : planned
  const { manifest } = plan
  checkCovers(unfinished?.record, plan)
  if (other) refuseOwnServer(plan, config)
  const warnings = other ? [] : checkTarget(manifest, installed.installation)
  const objects = await planObjectsOf(config, installed, options, { location, manifest, ...unpack })
  const writers = writersOf(config, installed, context)
  const stops = await planStopping(installed, writers, signal)
  const wanted = options.safetyBackup !== false && !unfinished
  if (!options.json) {
    const safety = formatSafety(plan, wanted, location.name, unfinished?.record)
    stderr.write(formatPlan(plan, { location: location.name, unfinished: unfinished?.record, safety }) + stops)
    if (objects) stderr.write(formatObjects(objects))
    for (const warning of warnings) stderr.write(`Warning: ${warning}\n`)
  }
  if (options.dryRun) {
    const about = { ...planFacts(plan, location.name), warnings, objects: objects?.changes ?? [] }
    if (options.json) printJson({ dryRun: true, ...about }, context)
    return 0
  }
  const runId = createRunId()
  const { policy, backupId } = backup
  const doing = { doing: 'restore', target: host } as const
  const hold = { clusterName, runId, policy, backupId, ...doing, owner: thisOwner(), clock, signal }
  const warn = (message: string): void => stderr.write(`Warning: ${message}\n`)
  const outcome = await holdBackup(location, { ...hold, warn }, async () => {
    await refuseOthers(opened.usable, { ...hold, own: !other })
    stage('proving')
    await proveBeforeRestore(location, clusterName, backup, ARTIFACT_FORMATS, unpack)
    if (!options.yes) await confirm(`RESTORE ${clusterName}`, context)
    stage('safety')
    const saving = { clusterName, policy: policyOf(config, policy), location, target: plan.target, installed }
    const safety = wanted
      ? await makeSafetyBackup({ ...saving, ...identity, emit: quietly(emit) }, context)
      : unfinished?.record.safety
    const stopping = {
      signal,
      onProgress: (text: string) => stderr.write(`${text}\n`),
      ...(other ? {} : { prepare: () => pauseUpgrades(config, context) }),
    }
    const applyObjects = (): Promise<void> => putObjectsBack(objects, context)
    const work = { clusterName, runId, location, plan, source, unpack, writers, stopping, safety, stage, applyObjects }
    return await performRestore({ ...work, before: unfinished?.location }, context)
  })
  stage('')
  report(outcome, backupId, location.name, options, context)
  if (!options.json && !other) stderr.write(formatLeftByHand(manifest, installed, config, objects !== undefined))
  return outcome.problems.length === 0 ? 0 : 3
}

/** Whose packing and pace hold: those of the policy that made the backup; a safety backup was made by none. */
function policyOf(config: Config, name: string | undefined): PolicyConfig {
  return config.policies.find((one) => one.name === name) ?? config.policies[0] ?? choosePolicy(config, name)
}

/** What the restore had put where nothing was before goes too. */
function withRestored(plan: RestorePlan, unfinished: UnfinishedRestore | undefined): RestorePlan {
  const union = (names: readonly string[]) => [...new Set([...names, ...(unfinished?.databases ?? [])])].sort()
  return { ...plan, drop: union(plan.drop), databases: union(plan.databases) }
}

/** A safety backup is told by its end, not by the stages of a backup. */
function quietly(emit: (event: RunEvent) => void): (event: RunEvent) => void {
  return (event) => {
    if (event.type !== 'run.stage') emit(event)
  }
}
