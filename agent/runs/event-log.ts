import type { FailureData } from '../core/errors.ts'
import type { RunEvent } from '../core/events.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface LogLine {
  readonly level: LogLevel
  /** Static: what differs stands in the fields. */
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

type Event<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

/** What a log says of an event; nothing of those that matter to no reader. Short runs only tell of trouble. */
export function logLineOf(event: RunEvent): LogLine | undefined {
  switch (event.type) {
    case 'run.started':
      return { level: event.kind === 'backup' ? 'info' : 'debug', message: 'run started', fields: subject(event) }
    case 'run.stage':
      return { level: 'debug', message: 'run stage', fields: { run: event.runId, stage: event.stage } }
    case 'run.warning':
      return { level: 'warn', message: 'run warning', fields: { run: event.runId, warning: event.message } }
    case 'source.read': {
      const { runId: run, policy, source, consistency, reason, member } = event
      const more = { ...(reason ? { reason } : {}), ...(member ? { member } : {}) }
      const fields = { run, policy, source, consistency, ...more }
      return { level: consistency === 'none' ? 'warn' : 'info', message: 'source read', fields }
    }
    case 'location.stored': {
      const { backupId: backup, complete, storedBytes } = event
      return { level: 'info', message: 'backup stored', fields: { ...place(event), backup, complete, storedBytes } }
    }
    case 'location.failed': {
      const { stage, failure } = event
      const fields = { ...place(event), stage, ...failureFields(failure) }
      return { level: failure.code === 'cancelled' ? 'warn' : 'error', message: 'location failed', fields }
    }
    case 'catalog.failed': {
      const { runId: run, location, failure } = event
      const fields = { run, location, ...failureFields(failure) }
      return { level: 'warn', message: 'catalog could not be read', fields }
    }
    case 'backup.deleted':
      return { level: 'info', message: 'backup deleted', fields: { ...place(event), backup: event.backupId } }
    case 'retention.applied': {
      const { failures, refused } = event
      if (failures === 0 && !refused) return undefined
      return { level: 'warn', message: 'retention incomplete', fields: { ...place(event), failures, refused } }
    }
    case 'backup.verified': {
      const { backupId: backup, ok } = event
      return { level: ok ? 'info' : 'error', message: 'backup verified', fields: { ...place(event), backup, ok } }
    }
    case 'location.swept': {
      const { runId: run, location, objects, failures } = event
      if (objects === 0 && failures === 0) return undefined
      const fields = { run, location, objects, failures }
      return { level: failures > 0 ? 'warn' : 'info', message: 'leftovers of dead runs removed', fields }
    }
    case 'run.finished':
      return finished(event)
    default:
      return undefined
  }
}

export function failureFields({ code, message, hint }: FailureData): Record<string, string> {
  return { code, error: message, ...(hint === undefined ? {} : { hint }) }
}

function finished(event: Event<'run.finished'>): LogLine {
  const { result, durationMs, sourceBytes, storedBytes, peakMemoryBytes, failure } = event
  const fields = {
    ...subject(event),
    result,
    durationMs: Math.round(durationMs),
    ...(sourceBytes === undefined ? {} : { sourceBytes }),
    ...(storedBytes === undefined ? {} : { storedBytes }),
    ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }),
    ...(failure ? failureFields(failure) : {}),
  }
  return { level: levelOf(event), message: 'run finished', fields }
}

function levelOf({ kind, result }: Event<'run.finished'>): LogLevel {
  if (kind !== 'backup') return result === 'success' || result === 'cancelled' ? 'debug' : 'warn'
  return result === 'failed' ? 'error' : result === 'partial' ? 'warn' : 'info'
}

function subject({ runId, kind, policy }: Pick<Event<'run.finished'>, 'runId' | 'kind' | 'policy'>) {
  return { run: runId, kind, ...(policy === undefined ? {} : { policy }) }
}

function place({ runId: run, policy, location }: { runId: string; policy: string; location: string }) {
  return { run, policy, location }
}
