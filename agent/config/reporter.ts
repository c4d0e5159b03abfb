import type { Diagnostic } from '../core/diagnostics.ts'
import type { ConfigDocument, Path } from './document.ts'

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

export function createReporter(document: ConfigDocument): Reporter {
  const diagnostics: Diagnostic[] = []
  const add = (severity: Diagnostic['severity'], { path, summary, detail, at = 'value' }: Finding): void => {
    diagnostics.push({ severity, summary, detail, path, range: document.rangeOf(path, at) })
  }
  return {
    diagnostics,
    get hasErrors() {
      return diagnostics.some(({ severity }) => severity === 'error')
    },
    error: (finding) => add('error', finding),
    warning: (finding) => add('warning', finding),
  }
}
