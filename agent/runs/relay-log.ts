import type { LogLevel, LogLine } from './event-log.ts'

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  fatal: 'error',
}

/** What a run process wrote to standard error: its own JSON lines as what they are, other text as a warning. */
export function logLineIn(text: string): LogLine {
  return parse(text) ?? { level: 'warn', message: 'run process wrote', fields: { line: text } }
}

function parse(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('level' in value) || !('msg' in value)) return undefined
    const { level: name, msg, ...others } = value
    const level = typeof name === 'string' ? LEVELS[name] : undefined
    if (!level || typeof msg !== 'string') return undefined
    const { time: _, ...fields }: Record<string, unknown> = others
    return { level, message: msg, fields }
  } catch {
    return undefined
  }
}
