import { readFileSync } from 'node:fs'
import { isMap, parseDocument } from 'yaml'

const VALUES = new URL('../../charts/palette-backup/values.yaml', import.meta.url)

/** One value of the chart. */
export interface ChartValue {
  readonly name: string
  /** What follows `# --` above it; may be empty. */
  readonly description: string
  /** What follows `# @schema` above it, parsed: JSON Schema beside what the default tells. */
  readonly schema: Readonly<Record<string, unknown>>
  readonly fallback: unknown
  /** The values in it, where it is a group of them: a map that is not empty and has no schema of its own. */
  readonly inner?: readonly ChartValue[]
}

/** `values.yaml` with its comments: what the table in the chart's README and its schema are made from. */
export function readChartValues(): readonly ChartValue[] {
  return valuesIn(parseDocument(readFileSync(VALUES, 'utf8')).contents)
}

function valuesIn(map: unknown): ChartValue[] {
  if (!isMap<{ value: string; commentBefore?: string | null }, { toJSON(): unknown } | null>(map)) return []
  return map.items.map(({ key, value }, index) => {
    // The parser gives the comment above the first key of a map to the map.
    const comment = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? ''
    const { description, schema } = readComment(comment)
    const inner = Object.keys(schema).length === 0 ? valuesIn(value) : []
    const fallback = value?.toJSON() ?? null
    return { name: key.value, description, schema, fallback, ...(inner.length > 0 ? { inner } : {}) }
  })
}

function readComment(comment: string): Pick<ChartValue, 'description' | 'schema'> {
  // What stands above a blank line belongs to the file, not to the value.
  const lines = (comment.split('\n\n').at(-1) ?? '').split('\n').map((line) => line.trim())
  const described = lines.filter((line) => !line.startsWith('@schema')).join(' ')
  const schema = lines.find((line) => line.startsWith('@schema'))?.slice('@schema'.length)
  return {
    description: described.startsWith('-- ') ? described.slice('-- '.length) : '',
    schema: schema === undefined ? {} : JSON.parse(schema),
  }
}
