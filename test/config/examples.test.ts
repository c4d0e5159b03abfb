import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { configJsonSchema, type JsonSchema } from '../../agent/config/json-schema.ts'
import { readConfigFile } from '../../agent/config/load.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'

const CONFIG = new URL('../../config/', import.meta.url)
const files = (await readdir(CONFIG)).filter((name) => name.endsWith('.yaml')).sort()

/** What the demo does on purpose, on one machine and without certificates. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'demo.yaml': ['Connection without TLS', 'Connection without TLS'],
}

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'examples-'))
})
afterAll(() => rm(folder, { recursive: true }))

it.each(files)('config/%s loads, and there is nothing to say about it', async (name) => {
  const text = await readFile(new URL(name, CONFIG), 'utf8')
  const file = join(folder, name)
  await writeFile(file, text)
  for (const secret of referenced(text, '$file')) {
    await mkdir(dirname(join(folder, secret)), { recursive: true })
    await writeFile(join(folder, secret), `${valueFor(secret)}\n`)
  }
  const env = Object.fromEntries(referenced(text, '$env').map((variable) => [variable, valueFor(variable)]))

  const { config, diagnostics } = await readConfigFile(file, env)

  expect(diagnostics.map(({ summary }) => summary)).toEqual(EXPECTED[name] ?? [])
  expect(config?.locations.length).toBeGreaterThan(0)
  expect(config?.policies.length).toBeGreaterThan(0)
  expect(text.split('\n', 1)[0]).toBe('# yaml-language-server: $schema=./palette-backup.schema.json')
})

function referenced(text: string, key: '$env' | '$file'): string[] {
  return [...text.matchAll(new RegExp(`\\{ *\\${key}: *([^ }]+) *\\}`, 'g'))].map(([, name = '']) => name)
}

function valueFor(name: string): string {
  if (/\.pem$|_CA$/.test(name)) return selfSignedCertificate().cert
  if (/mongodb.?uri/i.test(name)) return 'mongodb://backup:secret@mongo-0.mongo:27017/?replicaSet=rs0&authSource=admin'
  if (/s3.?url/i.test(name)) return 'http://127.0.0.1:9000'
  if (/server/i.test(name)) return 'ftp://127.0.0.1:21'
  return 'a-secret-of-this-name'
}

it('the examples use every attribute that is not deprecated', async () => {
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, CONFIG), 'utf8')))
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
