import { type JsonSchema, schemaAt } from './json-schema.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/**
 * A file's value with a reference to its variable in place of each attribute that is not written, declares one, and
 * finds it set: the file wins over the environment, the environment over defaults.
 */
export function withFallbacks(value: unknown, env: Environment, schema = schemaAt([])): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !schema || schema.reference) return value
  const written = Object.entries(value).map(([key, inner]) => [key, withFallbacks(inner, env, below(schema, key))])
  return { ...fallbacksOf(schema, env), ...Object.fromEntries(written) }
}

function below({ properties = {}, additionalProperties: named }: JsonSchema, key: string): JsonSchema | undefined {
  if (Object.hasOwn(properties, key)) return properties[key]
  return typeof named === 'object' ? named : undefined
}

function fallbacksOf({ properties = {} }: JsonSchema, env: Environment): object {
  const found = Object.entries(properties).flatMap(([name, { environment }]) =>
    environment !== undefined && env[environment] ? [[name, { $env: environment }]] : [],
  )
  return Object.fromEntries(found)
}
