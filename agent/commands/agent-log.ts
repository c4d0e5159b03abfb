import type { FailureData } from '../core/errors.ts'
import type { Emit, RunEvent } from '../core/events.ts'
import type { Logger } from '../core/log.ts'

type Finished = Extract<RunEvent, { type: 'run.finished' }>

/** One line for each event that matters to who reads the log; short runs only tell of trouble. */
export function logEvents(logger: Logger): Emit {
  return (event) => {
    switch (event.type) {
      case 'run.started':
        logger[event.kind === 'backup' ? 'info' : 'debug'](subject(event), 'run started')
        break
      case 'run.warning':
        logger.warn({ run: event.runId, warning: event.message }, 'run warning')
        break
      case 'source.read': {
        const { runId: run, policy, source, consistency, reason, member } = event
        const fields = {
          run,
          policy,
          source,
          consistency,
          ...(reason ? { reason } : {}),
          ...(member ? { member } : {}),
        }
        logger[consistency === 'none' ? 'warn' : 'info'](fields, 'source read')
        break
      }
      case 'location.stored': {
        const { runId: run, policy, location, backupId: backup, complete, storedBytes } = event
        logger.info({ run, policy, location, backup, complete, storedBytes }, 'backup stored')
        break
      }
      case 'location.failed': {
        const { runId: run, policy, location, stage, failure } = event
        logger.error({ run, policy, location, stage, ...failureFields(failure) }, 'location failed')
        break
      }
      case 'catalog.failed': {
        const { runId: run, location, failure } = event
        logger.warn({ run, location, ...failureFields(failure) }, 'catalog could not be read')
        break
      }
      case 'backup.deleted': {
        const { runId: run, policy, location, backupId: backup } = event
        logger.info({ run, policy, location, backup }, 'backup deleted')
        break
      }
      case 'run.finished':
        logFinished(logger, event)
        break
      default:
    }
  }
}

function logFinished(logger: Logger, event: Finished): void {
  const { result, durationMs, sourceBytes, storedBytes, failure } = event
  const fields = {
    ...subject(event),
    result,
    durationMs: Math.round(durationMs),
    ...(sourceBytes === undefined ? {} : { sourceBytes }),
    ...(storedBytes === undefined ? {} : { storedBytes }),
    ...(failure ? failureFields(failure) : {}),
  }
  logger[levelOf(event)](fields, 'run finished')
}

function levelOf({ kind, result }: Finished): 'debug' | 'info' | 'warn' | 'error' {
  if (kind !== 'backup') return result === 'success' ? 'debug' : 'warn'
  return result === 'failed' ? 'error' : result === 'partial' ? 'warn' : 'info'
}

function subject({ runId, kind, policy }: Pick<Finished, 'runId' | 'kind' | 'policy'>) {
  return { run: runId, kind, ...(policy === undefined ? {} : { policy }) }
}

export function failureFields({ code, message, hint }: FailureData): Record<string, string> {
  return { code, error: message, ...(hint === undefined ? {} : { hint }) }
}
