import type { Path } from '../document.ts'
import { schemaAt } from '../json-schema.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'

const TEMPLATE = /\$\{[A-Za-z_]\w*\}/
const NOTHING_BUT_TEMPLATE = /^(\$\{[A-Za-z_]\w*\}|\$[A-Z_][A-Z0-9_]*|\{\{.*\}\})$/s

/** `${NAME}` would be taken as it stands, and found out about in the night. A password may hold anything inside. */
export function checkTemplates(value: ConfigFileValue, report: Reporter): void {
  const walk = (part: unknown, path: Path): void => {
    if (typeof part === 'string') {
      const schema = schemaAt(path)
      if (!NOTHING_BUT_TEMPLATE.test(part) && (schema?.sensitive || !TEMPLATE.test(part))) return
      const instead = schema?.reference
        ? 'Write { $env: NAME } or { $file: path } in place of the text.'
        : 'Write the value itself.'
      const detail = `Templates in a text are not replaced. ${instead}`
      report.error({ path, at: 'key', summary: 'Template in a text', detail })
    } else if (Array.isArray(part)) part.forEach((inner, index) => void walk(inner, [...path, index]))
    else if (typeof part === 'object' && part !== null) {
      for (const [key, inner] of Object.entries(part)) walk(inner, [...path, key])
    }
  }
  walk(value, [])
}
