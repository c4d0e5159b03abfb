import { editorSchema, when } from '../../agent/config/editor-schema.ts'
import type { ChartValue } from './chart-values.ts'
import { readChartValues } from './chart-values.ts'
import type { GeneratedDocument } from './documents.ts'

type Schema = Readonly<Record<string, unknown>>

/** What Helm checks the values against: the configuration by the program's own schema. */
export const chartSchema: GeneratedDocument = {
  path: 'charts/palette-backup/values.schema.json',
  render() {
    const $schema = 'http://json-schema.org/draft-07/schema#'
    return `${JSON.stringify({ $schema, ...group(readChartValues()) }, null, 2)}\n`
  },
}

function group(values: readonly ChartValue[]): Schema {
  const properties = Object.fromEntries(values.map((value) => [value.name, schemaOf(value)]))
  return { type: 'object', additionalProperties: false, properties }
}

function schemaOf({ name, description, schema, fallback, inner }: ChartValue): Schema {
  const described = description === '' ? {} : { description }
  // What is global is shared with other charts, where this one is a part of a larger.
  if (inner) return { ...described, ...group(inner), additionalProperties: name === 'global' }
  const { config, ...more } = schema
  if (config === true) return { ...described, type: 'object', ...when({ minProperties: 1 }, configuration()) }
  return { ...described, type: typeOf(fallback), ...more }
}

function configuration(): Schema {
  const { $schema: _, ...schema } = { $schema: undefined, ...editorSchema() }
  return schema
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return value === null ? 'null' : typeof value
}
