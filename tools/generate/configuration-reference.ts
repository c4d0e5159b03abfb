import { configJsonSchema, type JsonSchema } from '../../agent/config/json-schema.ts'
import { replaceBetweenMarks } from './between-marks.ts'
import type { GeneratedDocument } from './documents.ts'

/** Every attribute of the configuration file, as tables: one for each map that has attributes. */
export const configurationReference: GeneratedDocument = {
  path: 'docs/configuration.md',
  render: (current) => replaceBetweenMarks(current, 'attributes', sections(configJsonSchema(), '').join('\n\n')),
}

/** The table of one map, then those of the maps inside it. */
function sections(schema: JsonSchema, address: string): string[] {
  const entries = Object.entries(schema.properties ?? {})
  const required = new Set(schema.required)
  const title = address === '' ? '### The file' : `### \`${address}\``
  const head = ['| attribute | value | default | meaning |', '|---|---|---|---|']
  const rows = entries.map(([name, attribute]) => row(name, attribute, required.has(name)))
  const table = [title, '', ...head, ...rows].join('\n')
  const inner = entries.flatMap(([name, attribute]) => nested(attribute, address === '' ? name : `${address}.${name}`))
  return [table, ...inner]
}

function nested(schema: JsonSchema, address: string): string[] {
  if (schema.properties) return sections(schema, address)
  const named = schema.additionalProperties
  return typeof named === 'object' ? nested(named, `${address}.<name>`) : []
}

function row(name: string, schema: JsonSchema, isRequired: boolean): string {
  const fallback = isRequired ? '**required**' : fallbackOf(schema)
  return `| \`${name}\` | ${kindOf(schema)} | ${fallback} | ${(schema.description ?? '').replaceAll('|', '\\|')} |`
}

function fallbackOf(schema: JsonSchema): string {
  if (schema.environment !== undefined) return `variable \`${schema.environment}\``
  const isMap = schema.properties !== undefined || typeof schema.additionalProperties === 'object'
  return schema.default === undefined || isMap ? '' : `\`${inYaml(schema.default)}\``
}

function kindOf(schema: JsonSchema): string {
  if (schema.sensitive) return 'secret'
  if (schema.reference) return 'string or reference'
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ')
  if (schema.const !== undefined) return `\`${schema.const}\``
  if (schema.items) return `list: ${kindOf(schema.items)}`
  if (typeof schema.additionalProperties === 'object') return 'map by name'
  if (schema.type === 'object') return 'map'
  if (schema.type === 'integer')
    return schema.maximum === undefined ? `at least ${schema.minimum}` : `${schema.minimum}–${schema.maximum}`
  return schema.type === 'boolean' ? '`true`, `false`' : 'string'
}

function inYaml(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
}
