import { failureData } from '../core/errors.ts'
import type { BackupSummary } from '../core/events.ts'
import { formatDuration } from '../core/units.ts'
import { openLocations } from './compose.ts'
import { requireConfig } from './configuration.ts'
import type { CommandContext, CommonOptions, ExitCode } from './context.ts'
import type { BackupFilter } from './find-backups.ts'
import { findBackups, isFromFuture, locationNames } from './find-backups.ts'
import { formatFailure, printJson } from './outcome.ts'
import { formatTable } from './table.ts'

export type ListCommand = CommonOptions & BackupFilter

/** What there is: one line per backup and location, newest first. */
export async function listCommand(options: ListCommand, context: CommandContext): Promise<ExitCode> {
  const config = await requireConfig(options, context)
  await using opened = await openLocations(config, locationNames(config, options), { ...context, patience: 'brief' })
  const found = await findBackups(config, opened, { ...options, look: true }, context)
  const { backups, unread, problems } = found
  if (options.json) {
    printJson({ backups: backups.map(({ backup }) => backup), unread, problems: problems.map(failureData) }, context)
  } else {
    const now = context.clock.now().getTime()
    const rows = backups.map(({ backup }) => [
      backup.backupId,
      backup.policy,
      backup.location,
      backup.complete ? 'complete' : 'partial',
      notesOf(backup),
      isFromFuture(backup, found)
        ? 'IN THE FUTURE'
        : `${formatDuration(Math.max(0, now - new Date(backup.startedAt).getTime()))} ago`,
    ])
    context.stdout.write(formatTable(['BACKUP', 'POLICY', 'LOCATION', 'RESULT', 'NOTES', 'AGE'], rows))
    for (const { message } of problems) context.stderr.write(`Warning: ${message}\n`)
    for (const { failure } of unread) context.stderr.write(formatFailure(failure))
  }
  if (unread.length === 0) return 0
  return backups.length > 0 ? 3 : 1
}

function notesOf({ pinned, verified, damaged, unreadable }: BackupSummary): string {
  const notes = { DAMAGED: damaged, UNREADABLE: unreadable, pinned, verified }
  return (
    Object.entries(notes)
      .flatMap(([note, is]) => (is ? [note] : []))
      .join(', ') || '-'
  )
}
