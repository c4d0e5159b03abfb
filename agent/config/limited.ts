import type { Diagnostic } from '../core/diagnostics.ts'

/** Nobody reads more at once, and a file that is no configuration at all could have a hundred thousand. */
export const MOST_DIAGNOSTICS = 100

/** Stands for the problems beyond the first hundred. */
export function countOfMore(more: number, severity: Diagnostic['severity']): Diagnostic {
  const detail = `${more} more ${more === 1 ? 'problem is' : 'problems are'} not listed. Correct those above first.`
  return { severity, summary: 'Too many problems', detail }
}

/** At most a hundred, and how many more there are. */
export function limited(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const more = diagnostics.slice(MOST_DIAGNOSTICS)
  if (more.length === 0) return diagnostics
  const severity = more.some((one) => one.severity === 'error') ? 'error' : 'warning'
  return [...diagnostics.slice(0, MOST_DIAGNOSTICS), countOfMore(more.length, severity)]
}
