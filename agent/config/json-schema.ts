import { z } from 'zod'
import { VARIABLE_NAME } from './attributes.ts'
import { ConfigFile } from './schema.ts'

/** The parts of a JSON Schema (draft-07) that the configuration's one is made of. */
export interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly sensitive?: boolean
  readonly reference?: boolean
  readonly deprecationMessage?: string
  readonly environment?: string
  readonly minimum?: number
  readonly maximum?: number
}

const TEXT: z.core.JSONSchema.JSONSchema = { type: 'string', minLength: 1 }
const TEXT_OR_REFERENCE: z.core.JSONSchema.JSONSchema[] = [
  TEXT,
  reference('$env', {
    ...TEXT,
    pattern: VARIABLE_NAME.source,
    description: 'Name of an environment variable of the agent, without $',
  }),
  reference('$file', {
    ...TEXT,
    description: 'Path of a file that holds the value; a relative one begins at the folder of this file',
  }),
]

function reference(key: string, value: z.core.JSONSchema.JSONSchema): z.core.JSONSchema.JSONSchema {
  return { type: 'object', properties: { [key]: value }, required: [key], additionalProperties: false }
}

let made: JsonSchema | undefined

/** The configuration file as JSON Schema, for editors, and as the list of attributes that are known and may be shown. */
export function configJsonSchema(): JsonSchema {
  made ??= z.toJSONSchema(ConfigFile, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
    override({ jsonSchema }) {
      if (jsonSchema['reference'] === true) jsonSchema.anyOf = structuredClone(TEXT_OR_REFERENCE)
      // Limits of JavaScript's numbers, which say nothing to an operator.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  }) as JsonSchema
  return made
}

/** The schema of what stands at a path; undefined for what the schema does not know. */
export function schemaAt(path: readonly (string | number)[], from = configJsonSchema()): JsonSchema | undefined {
  const [part, ...rest] = path
  if (part === undefined) return from
  const next = childSchema(from, part)
  return next && schemaAt(rest, next)
}

function childSchema({ properties, additionalProperties, items, reference }: JsonSchema, part: string | number) {
  if (typeof part === 'number') return items
  if (reference) return part === '$env' || part === '$file' ? { type: 'string' } : undefined
  if (properties && Object.hasOwn(properties, part)) return properties[part]
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}
