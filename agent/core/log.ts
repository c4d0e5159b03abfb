import type { DestinationStream, Logger } from 'pino'
import { pino } from 'pino'

export type { Logger }

/**
 * JSON log lines: static message in lower case, values as fields.
 * Errors are cut down to what may be printed; a stack only at level `debug`.
 */
export function createLogger(destination: DestinationStream, level = 'info'): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
}

export const silentLogger: Logger = pino({ level: 'silent' })
