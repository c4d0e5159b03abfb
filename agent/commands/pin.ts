import { pinBackup, unpinBackup } from '../backup/pin.ts'
import { failureData } from '../core/errors.ts'
import { openLocations } from './compose.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import type { BackupFilter, Found } from './find-backups.ts'
import { findBackups, locationNames, pickBackup } from './find-backups.ts'
import { formatFailure, printJson } from './outcome.ts'

export interface PinCommand extends CommonOptions, BackupFilter {
  readonly backup: string
  readonly action: 'pin' | 'unpin'
  readonly reason?: string
}

/** Keeps a backup for good, or leaves it to retention again; in every location that the filter leaves and that has it. */
export async function pinCommand(options: PinCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  const { signal, clock, stdout, stderr } = context
  await using opened = await openLocations(config, locationNames(config, options), context)
  const found = await findBackups(config, opened, options, context)
  const { backupId } = pickBackup(found, options.backup).backup
  const { clusterName } = config.palette
  const pin = { pinned_at: clock.now().toISOString(), ...(options.reason ? { reason: options.reason } : {}) }
  const done: string[] = []
  const failed = [...found.unread]
  for (const { backup, location } of found.backups.filter((one) => one.backup.backupId === backupId)) {
    try {
      if (options.action === 'pin') await pinBackup(location, clusterName, backup, pin, { signal })
      else await unpinBackup(location, clusterName, backup, { signal })
      done.push(location.name)
    } catch (thrown) {
      failed.push({ location: location.name, failure: failureData(thrown) })
    }
  }
  if (options.json) printJson({ backupId, action: options.action, locations: done, failed }, context)
  else {
    if (done.length > 0) stdout.write(`${options.action}ned ${backupId} in ${done.join(', ')}\n`)
    for (const { failure } of failed) stderr.write(formatFailure(failure))
  }
  return exitCode(done, failed)
}

function exitCode(done: readonly string[], failed: Found['unread']): ExitCode {
  if (failed.length === 0) return 0
  return done.length > 0 ? 3 : 1
}
