import type { Path } from '../document.ts'
import { schemaAt } from '../json-schema.ts'
import type { Reporter } from '../reporter.ts'
import type { ConfigFileValue } from '../schema.ts'

/** A secret that stands in the file itself is readable by everyone who can read the ConfigMap. */
export function warnOfLiteralSecrets(value: ConfigFileValue, report: Reporter): void {
  const walk = (part: unknown, path: Path): void => {
    if (typeof part === 'string') {
      if (!schemaAt(path)?.sensitive) return
      const detail = 'Everybody who can read this file can read the secret. Use { $env: NAME } or { $file: path }.'
      report.warning({ path, at: 'key', summary: 'Secret written in the configuration', detail })
    } else if (typeof part === 'object' && part !== null && !Array.isArray(part)) {
      for (const [key, inner] of Object.entries(part)) walk(inner, [...path, key])
    }
  }
  walk(value, [])
}
