import type { Logger } from '../core/log.ts'

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const
type Level = (typeof LEVELS)[number]

/** Writes what a run process logged to the agent's log: its own JSON lines as what they are, other text as a warning. */
export function relayLog(logger: Logger, line: string): void {
  const entry = parse(line)
  if (!entry) {
    logger.warn({ line }, 'run process wrote')
    return
  }
  const { level, msg, time: _, ...fields } = entry
  logger[level](fields, msg)
}

function parse(line: string): { level: Level; msg: string; [field: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || !('level' in value) || !('msg' in value)) return undefined
    const { level, msg } = value
    const known = LEVELS.find((one) => one === level)
    return known && typeof msg === 'string' ? { ...value, level: known, msg } : undefined
  } catch {
    return undefined
  }
}
