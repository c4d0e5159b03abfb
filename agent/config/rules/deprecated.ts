import type { Path } from '../document.ts'
import { schemaAt } from '../json-schema.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'

/** What is still read, but has a better name by now. */
export function warnOfDeprecated(value: ConfigFileValue, report: Reporter): void {
  const walk = (part: unknown, path: Path): void => {
    const detail = schemaAt(path)?.deprecationMessage
    if (detail !== undefined) report.warning({ path, at: 'key', summary: 'Deprecated attribute', detail })
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return
    for (const [key, inner] of Object.entries(part)) walk(inner, [...path, key])
  }
  walk(value, [])
}
