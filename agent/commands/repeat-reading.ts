import type { BackupOutcome } from '../backup/backup-options.ts'
import type { Failure } from '../core/errors.ts'
import type { Emit, RunEvent } from '../core/events.ts'
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

export interface Attempt {
  /** Why it is read without a snapshot, when it is. */
  readonly withoutSnapshot?: string
  readonly emit: Emit
}

/**
 * Runs a backup again from its start when what it read went away under it: never is the rest of one reading added to
 * another. Where the server keeps too little history, and at the last attempt, it is read without a snapshot. That no
 * location got its backup because the source failed is told of the last attempt alone: only then it is so.
 */
export async function repeatReading(
  run: (attempt: Attempt) => Promise<BackupOutcome>,
  { runId, emit, context }: RepeatOptions,
): Promise<BackupOutcome> {
  let withoutSnapshot: string | undefined
  const told: string[] = []
  for (let attempt = 1; ; attempt += 1) {
    const held: RunEvent[] = []
    const holding: Emit = (event) => (blamesSource(event) ? held.push(event) : emit(event))
    const outcome = await run({ emit: holding, ...(withoutSnapshot === undefined ? {} : { withoutSnapshot }) })
    const { failure } = outcome
    if (outcome.result !== 'failed' || attempt === ATTEMPTS || !failure || !canHelp(failure)) {
      for (const event of held) emit(event)
      return { ...outcome, warnings: [...told, ...outcome.warnings] }
    }
    if (failure.code === 'snapshot_lost') {
      withoutSnapshot = `the server keeps too short a history: ${failure.message}`
    } else {
      if (attempt === ATTEMPTS - 1) withoutSnapshot ??= `the source changed under two readings: ${failure.message}`
      await context.clock.sleep(SETTLE_MS, { signal: context.signal })
    }
    const how = withoutSnapshot === undefined ? 'from the start' : 'without a snapshot'
    const hint = failure.hint === undefined ? '' : `. ${failure.hint}`
    const message = `${failure.message}; reading again ${how}${hint}`
    told.push(message)
    emit({ type: 'run.warning', runId, message })
  }
}

function canHelp({ retryable, code }: Failure): boolean {
  return retryable && (code === 'snapshot_lost' || code === 'source_changed')
}

function blamesSource(event: RunEvent): boolean {
  return event.type === 'location.failed' && event.stage === 'source'
}
