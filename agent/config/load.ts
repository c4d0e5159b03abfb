import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { systemClock } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import { checkSchema } from './check-schema.ts'
import type { Config } from './config.ts'
import { LARGEST_BYTES, readDocument, TOO_LARGE } from './document.ts'
import { digestOf, explainUnreadable, NO_CONTENT, readBounded, TooLarge } from './read-bounded.ts'
import { resolveReferences } from './references.ts'
import { createReporter } from './reporter.ts'
import { warnOfDeprecated } from './rules/deprecated.ts'
import { warnOfLiteralSecrets } from './rules/literal-secrets.ts'
import { buildLocations } from './rules/locations.ts'
import { checkNames, requirePolicies, warnOfUnused } from './rules/names.ts'
import { buildPalette } from './rules/palette.ts'
import { buildPolicies } from './rules/policies.ts'
import { checkTemplates } from './rules/templates.ts'

export interface LoadedConfig {
  /** Undefined when there are errors among the diagnostics. */
  readonly config?: Config
  readonly diagnostics: readonly Diagnostic[]
  /** Digest of what was read, by absolute path: the configuration file and, as far as loading came, what `$file` names. */
  readonly files: ReadonlyMap<string, string>
}

export interface LoadOptions {
  /** Its name stands in diagnostics, and relative paths begin at its folder. */
  readonly file: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * A configuration from the text of its file: document, schema, references, rules. Each stage tells everything it
 * finds; one that finds errors is the last.
 */
export async function loadConfig(text: string, { file, env }: LoadOptions): Promise<LoadedConfig> {
  const { document, diagnostics: syntax } = readDocument(text, file)
  if (!document) return { diagnostics: syntax, files: new Map() }
  const report = createReporter(document, env)
  const value = checkSchema(document, env, report)
  if (!value) return { diagnostics: report.diagnostics, files: new Map() }
  checkNames(value, report)
  checkTemplates(value, report)
  const references = await resolveReferences(value, { env, configFile: resolve(file) }, report)
  const { files } = references
  if (report.hasErrors) return { diagnostics: report.diagnostics, files }
  warnOfLiteralSecrets(value, report)
  warnOfDeprecated(value, report)
  const config: Config = {
    digest: createHash('sha256').update(text).digest('hex'),
    palette: buildPalette(references.value, report),
    locations: buildLocations(references.value, report),
    policies: buildPolicies(references.value, systemClock.now(), report),
  }
  if (requirePolicies(document.value, report)) warnOfUnused(value, report)
  const { diagnostics } = report
  return report.hasErrors ? { diagnostics, files } : { config, diagnostics, files }
}

/** The same from the file itself; a file that cannot be read is one diagnostic. */
export async function readConfigFile(file: string, env: LoadOptions['env']): Promise<LoadedConfig> {
  const path = resolve(file)
  let content: Buffer
  try {
    content = await readBounded(file, LARGEST_BYTES)
  } catch (cause) {
    const problem = cause instanceof TooLarge ? TOO_LARGE : unreadable(file, cause)
    return { diagnostics: [{ severity: 'error', ...problem }], files: new Map([[path, NO_CONTENT]]) }
  }
  const loaded = await loadConfig(content.toString('utf8'), { file, env })
  return { ...loaded, files: new Map([...loaded.files, [path, digestOf(content)]]) }
}

function unreadable(file: string, cause: unknown): { summary: string; detail: string } {
  const detail = `${file}: ${explainUnreadable(cause)}. Name the configuration by --config or PALETTE_BACKUP_CONFIG.`
  return { summary: 'Configuration cannot be read', detail }
}
