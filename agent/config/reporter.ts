import type { Diagnostic } from '../core/diagnostics.ts'
import type { ConfigDocument, Path } from './document.ts'
import type { Environment } from './fallbacks.ts'
import { schemaAt } from './json-schema.ts'
import { countOfMore, MOST_DIAGNOSTICS } from './limited.ts'
import { shownKey } from './mask.ts'

export interface Finding {
  readonly path: Path
  /** A title without values. */
  readonly summary: string
  readonly detail: string
  /** What the caret stands under; default: the value. */
  readonly at?: 'key' | 'value'
}

/** Collects what a stage finds, each with the place it stands at. */
export interface Reporter {
  readonly diagnostics: readonly Diagnostic[]
  readonly hasErrors: boolean
  error(finding: Finding): void
  warning(finding: Finding): void
}

export function createReporter(document: ConfigDocument, env: Environment): Reporter {
  const diagnostics: Diagnostic[] = []
  const count = { error: 0, warning: 0 }
  let hiddenErrors = false
  const add = (severity: Diagnostic['severity'], { path, summary, detail, at = 'value' }: Finding): void => {
    count[severity] += 1
    if (diagnostics.length === MOST_DIAGNOSTICS) hiddenErrors ||= severity === 'error'
    else {
      const shown = path.map((part) => (typeof part === 'number' ? part : shownKey(part)))
      diagnostics.push({
        severity,
        summary,
        detail: detail + fromEnvironment(path),
        path: shown,
        range: document.rangeOf(path, at),
      })
    }
  }
  /** Of what is not written: the variable it comes from, or could come from. */
  const fromEnvironment = (path: Path): string => {
    const variable = schemaAt(path)?.environment
    if (variable === undefined || document.has(path)) return ''
    return env[variable]
      ? ` The value is that of the environment variable ${variable}.`
      : ` It may come from the environment variable ${variable}, too.`
  }
  return {
    get diagnostics() {
      const more = count.error + count.warning - diagnostics.length
      return more === 0 ? diagnostics : [...diagnostics, countOfMore(more, hiddenErrors ? 'error' : 'warning')]
    },
    get hasErrors() {
      return count.error > 0
    },
    error: (finding) => add('error', finding),
    warning: (finding) => add('warning', finding),
  }
}
