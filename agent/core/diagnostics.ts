/** Where a diagnostic points: 1-based line and column, length in characters, and the line as it may be shown. */
export interface SourceRange {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly length: number
  /** The whole line with every sensitive or unknown value masked; absent where no text can be shown safely. */
  readonly source?: string
}

/** One problem, or one thing to know, about a configuration. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning'
  /** A title without values: the same mistake, the same words. */
  readonly summary: string
  /** What was found, what was expected, how to fix it. */
  readonly detail: string
  readonly path?: readonly (string | number)[]
  readonly range?: SourceRange
}

/** `resource.backup_policy.nightly.backup_locations[1]` */
export function formatPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += text === '' ? part : `.${part}`
  }
  return text
}

/** All diagnostics as a person reads them, ending with one line that counts them. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[]): string {
  return `${[...diagnostics.map(formatDiagnostic), countLine(diagnostics)].join('\n\n')}\n`
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === 'error')
}

function formatDiagnostic(diagnostic: Diagnostic): string {
  const title = `${diagnostic.severity === 'error' ? 'Error' : 'Warning'}: ${diagnostic.summary}`
  return [title, formatPlace(diagnostic), indent(diagnostic.detail)].filter((part) => part !== '').join('\n\n')
}

function formatPlace({ path, range }: Diagnostic): string {
  const address = path && path.length > 0 ? formatPath(path) : ''
  if (!range) return address === '' ? '' : `  in ${address}:`
  const inside = address === '' ? '' : `, in ${address}`
  if (range.source === undefined) return `  on ${range.file} line ${range.line}, column ${range.column}${inside}`
  const head = `  on ${range.file} line ${range.line}${inside}:`
  const gutter = `  ${range.line}: `
  const caret = ' '.repeat(gutter.length - 2 + range.column - 1)
  return `${head}\n${gutter}${range.source}\n${' '.repeat(2)}${caret}${'^'.repeat(Math.max(1, range.length))}`
}

function countLine(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length
  const warnings = diagnostics.length - errors
  const parts = [errors > 0 ? plural(errors, 'error') : '', warnings > 0 ? plural(warnings, 'warning') : '']
  const counted = parts.filter((part) => part !== '').join(', ')
  if (counted === '') return 'Valid.'
  return errors > 0 ? `Invalid: ${counted}.` : `Valid: ${counted}.`
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')
}
