import type { BackupOutcome } from '../backup/run-backup.ts'
import type { Emit } from '../core/events.ts'
import { SECOND_MS } from '../core/units.ts'
import type { CommandContext } from './context.ts'

const ATTEMPTS = 3
/** Time for a replica set to find its new primary, or for who changes collections to finish. */
const SETTLE_MS = 3 * SECOND_MS

export interface RepeatOptions {
  readonly runId: string
  readonly emit: Emit
  readonly context: Pick<CommandContext, 'clock' | 'signal'>
}

/**
 * Runs a backup again from its start when what it read went away under it: never is the rest of one reading added to
 * another. Where the server keeps too little history, and at the last attempt, it is read without a snapshot.
 */
export async function repeatReading(
  run: (withoutSnapshot?: string) => Promise<BackupOutcome>,
  { runId, emit, context }: RepeatOptions,
): Promise<BackupOutcome> {
  let withoutSnapshot: string | undefined
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await run(withoutSnapshot)
    const { failure } = outcome
    if (outcome.result !== 'failed' || !failure?.retryable || attempt === ATTEMPTS) return outcome
    if (failure.code === 'snapshot_lost') {
      withoutSnapshot = 'the snapshot was lost while it was read: the server keeps too short a history'
    } else if (failure.code === 'source_changed') {
      if (attempt === ATTEMPTS - 1) withoutSnapshot ??= `the source changed under two readings: ${failure.message}`
      await context.clock.sleep(SETTLE_MS, { signal: context.signal })
    } else {
      return outcome
    }
    const how = withoutSnapshot === undefined ? 'from the start' : 'without a snapshot'
    emit({ type: 'run.warning', runId, message: `${failure.message}; reading again ${how}` })
  }
}
