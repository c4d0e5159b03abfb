import type { Emit } from '../core/events.ts'
import type { Logger } from '../core/log.ts'
import { logLineOf } from '../runs/event-log.ts'
import type { RepeatLimit } from './repeat-limit.ts'

/** One line for each event that matters to who reads the log; a location that stays down is told once an hour. */
export function logEvents(logger: Logger, limit: RepeatLimit): Emit {
  return (event) => {
    if (event.type === 'catalog.read') limit.forget(`catalog ${event.location}`)
    if (event.type === 'catalog.failed' && !limit.allows(`catalog ${event.location}`, event.failure.message)) return
    if (event.type === 'run.finished' && event.kind === 'catalog' && !event.failure) return
    const line = logLineOf(event)
    if (line) logger[line.level](line.fields, line.message)
  }
}
