import { readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { configJsonSchema, type JsonSchema } from '../../agent/config/json-schema.ts'
import { EXAMPLES, readExample } from '../support/examples.ts'

const files = (await readdir(EXAMPLES)).filter((name) => name.endsWith('.yaml')).sort()

/** What the demo does on purpose, on one machine and without certificates. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'demo.yaml': ['Connection without TLS', 'Connection without TLS'],
}

it.each(files)('config/%s loads, and there is nothing to say about it', async (name) => {
  const { config, diagnostics, text } = await readExample(name)

  expect(diagnostics.map(({ summary }) => summary)).toEqual(EXPECTED[name] ?? [])
  expect(config?.locations.length).toBeGreaterThan(0)
  expect(config?.policies.length).toBeGreaterThan(0)
  expect(text.split('\n', 1)[0]).toBe('# yaml-language-server: $schema=./palette-backup.schema.json')
})

it('the examples use every attribute that is not deprecated', async () => {
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, EXAMPLES), 'utf8')))
  const written = texts.flatMap((text) => attributesOf(parse(text), configJsonSchema()))
  expect([...new Set(written)].sort()).toEqual([...new Set(attributesIn(configJsonSchema()))].sort())
})

/** `resource.backup_policy.*.interval` for each attribute that the schema knows. */
function attributesIn({ properties = {}, additionalProperties: named }: JsonSchema, address = ''): string[] {
  if (typeof named === 'object') return attributesIn(named, `${address}.*`)
  return Object.entries(properties).flatMap(([name, schema]) => {
    if (schema.deprecationMessage) return []
    const inner = `${address}.${name}`
    return [inner, ...attributesIn(schema, inner)]
  })
}

function attributesOf(value: unknown, schema: JsonSchema | undefined, address = ''): string[] {
  if (typeof value !== 'object' || value === null || !schema || schema.reference) return []
  const { properties = {}, additionalProperties: named } = schema
  return Object.entries(value).flatMap(([key, inner]) => {
    if (typeof named === 'object') return attributesOf(inner, named, `${address}.*`)
    return properties[key] ? [`${address}.${key}`, ...attributesOf(inner, properties[key], `${address}.${key}`)] : []
  })
}
