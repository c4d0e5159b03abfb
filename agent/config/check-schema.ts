import type { z } from 'zod'
import type { ConfigDocument, Path } from './document.ts'
import { type Environment, withFallbacks } from './fallbacks.ts'
import { type JsonSchema, schemaAt } from './json-schema.ts'
import { mayBeShown, shownKey } from './mask.ts'
import type { Reporter } from './reporter.ts'
import { CONFIG_VERSION, ConfigFile, type ConfigFileValue, NOT_SUPPORTED } from './schema.ts'
import { alternatives, suggest } from './suggestion.ts'
import { valueFromElsewhere, wordFromElsewhere } from './words-from-elsewhere.ts'

/** More attributes than these nobody reads in a sentence. */
const MOST_NAMED = 7

const EMPTY = 'The file holds no configuration: it begins with version, provider and resource.'

type Issue = z.core.$ZodIssue

/** Checks every attribute by itself; undefined when something is wrong. */
export function checkSchema(document: ConfigDocument, env: Environment, report: Reporter): ConfigFileValue | undefined {
  const value = withFallbacks(withoutNulls(document.value, []), env)
  const version = versionOf(value)
  if (typeof version === 'number' && Number.isInteger(version) && version > CONFIG_VERSION) {
    const detail = `The file is written in version ${version} of the format; this program reads version ${CONFIG_VERSION}.`
    report.error({ path: ['version'], summary: 'Unsupported version', detail })
    return undefined
  }
  const parsed = ConfigFile.safeParse(value)
  if (parsed.success) return parsed.data
  const told = new Set<string>()
  for (const issue of parsed.error.issues) {
    // Of one value, one thing: 1e20 is no whole number, and out of range.
    const place = JSON.stringify([issue.path, issue.code === 'unrecognized_keys'])
    if (!told.has(place)) reportIssue(issue, value, report)
    told.add(place)
  }
  return undefined
}

/** A key without a value is not written; an unknown key stays, to be told. */
function withoutNulls(value: unknown, path: Path): unknown {
  if (Array.isArray(value)) return value.map((item, index) => withoutNulls(item, [...path, index]))
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(
    ([key, inner]) => inner !== null || schemaAt([...path, key]) === undefined || isNamed(path),
  )
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNulls(inner, [...path, key])]))
}

/** `backup_policy: { nightly: }` declares something, if without any attribute. */
function isNamed(path: Path): boolean {
  return typeof schemaAt(path)?.additionalProperties === 'object'
}

function versionOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined
}

function reportIssue(issue: Issue, root: unknown, report: Reporter): void {
  const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)))
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) reportUnknown([...path, key], report)
    return
  }
  if (issue.code === 'invalid_key') {
    if (path.at(-1) === '<<') return void refuseMerge(path, report)
    const detail = 'A name begins with a lower-case letter and holds lower-case letters, digits, _ and -, at most 63.'
    report.error({ path, at: 'key', summary: 'Invalid name', detail })
    return
  }
  const found = valueAt(root, path)
  if (found === undefined && path.length > 0) {
    const name = path.at(-1)
    const about = schemaAt(path)?.description
    const choices = schemaAt(path)?.enum
    const oneOf = choices ? ` It is ${alternatives(choices)}.` : ''
    const detail = `${capitalized(containerOf(path))} needs the attribute "${name}"${about ? `: ${about}.` : '.'}${oneOf}`
    report.error({ path, at: 'key', summary: 'Missing required attribute', detail })
    return
  }
  report.error({ path, ...explain(issue, found, path) })
}

function refuseMerge(path: Path, report: Reporter): void {
  const detail = 'Merge keys (<<) are not supported here. Write the attributes themselves in place of it.'
  report.error({ path, at: 'key', summary: 'Merge key in the configuration', detail })
}

function reportUnknown(path: Path, report: Reporter): void {
  const key = String(path.at(-1))
  const container = containerOf(path)
  const parent = schemaAt(path.slice(0, -1))
  if (key === '<<') return void refuseMerge(path, report)
  const elsewhere = wordFromElsewhere(resourceTypeOf(path), key)
  if (elsewhere) {
    report.error({ path, at: 'key', summary: 'Unsupported attribute', detail: elsewhere })
    return
  }
  if (NOT_SUPPORTED[resourceTypeOf(path)]?.includes(key)) {
    const detail = `"${key}" is not supported by this version of palette-backup. Remove it.`
    report.error({ path, at: 'key', summary: 'Unsupported attribute', detail })
    return
  }
  const hint = placeOf(key, path) || suggest(key, Object.keys(parent?.properties ?? {})) || attributesOf(parent)
  const detail = `${shownKey(key) === key ? `"${key}"` : 'This'} is not an attribute of ${container}.${hint}`
  report.error({ path, at: 'key', summary: 'Unsupported attribute', detail })
}

/** Where an attribute of this name belongs: into a map beside it, or one level higher. */
function placeOf(key: string, path: Path): string {
  const [parent, above] = [schemaAt(path.slice(0, -1)), schemaAt(path.slice(0, -2))]
  const beside = Object.entries(parent?.properties ?? {}).find(([, { properties = {} }]) =>
    Object.hasOwn(properties, key),
  )
  if (beside) return ` It belongs into the map ${beside[0]}.`
  const isAbove = path.length > 1 && Object.hasOwn(above?.properties ?? {}, key)
  return isAbove ? ` It belongs one level higher: beside ${path.at(-2)}.` : ''
}

/** What a map takes, where that is little. */
function attributesOf({ properties = {} }: JsonSchema = {}): string {
  const names = Object.entries(properties).flatMap(([name, { deprecationMessage }]) =>
    deprecationMessage ? [] : [name],
  )
  if (names.length === 0 || names.length > MOST_NAMED) return ''
  return ` It takes ${names.join(', ')}.`
}

/** What an attribute stands in, as a reader calls it. */
function containerOf(path: Path): string {
  return path.length > 1
    ? path
        .slice(0, -1)
        .map((part) => shownKey(String(part)))
        .join('.')
    : 'the configuration'
}

/** `backup_policy` for everything directly below one named policy, else the name of the attribute around it. */
function resourceTypeOf(path: Path): string {
  const around = path.length === 4 && path[0] === 'resource' ? path[1] : path.at(-2)
  return String(around ?? '')
}

function explain(issue: Issue, found: unknown, path: Path): { summary: string; detail: string } {
  const schema = schemaAt(path)
  if (issue.code === 'custom') return { summary: 'Wrong type', detail: issue.message }
  if (issue.code === 'invalid_type') {
    if (path.length === 0 && found === null) return { summary: 'Empty configuration', detail: EMPTY }
    const detail = issue.message.startsWith('Expected')
      ? issue.message
      : `Expected ${nameOfExpected(schema)}, found ${nameOfFound(found)}.${hintAtType(schema, found)}`
    return { summary: 'Wrong type', detail }
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') return explainSize(schema, found)
  if (issue.code === 'invalid_value') {
    const near = typeof found === 'string' ? otherValue(path, found, issue.values) : ''
    const isWord = mayBeShown(path, found) && /^[\w.:-]{1,24}$/.test(String(found))
    const shown = isWord ? `, not ${JSON.stringify(found)}` : `, found ${nameOfFound(found)}`
    return { summary: 'Invalid value', detail: `Expected ${alternatives(issue.values)}${shown}.${near}` }
  }
  if (issue.code === 'invalid_format') return { summary: 'Invalid value', detail: issue.message }
  return { summary: 'Invalid value', detail: `Expected ${nameOfExpected(schema)}.` }
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function capitalized(text: string): string {
  return text.startsWith('the ') ? `The ${text.slice(4)}` : text
}

function otherValue(path: Path, found: string, values: readonly unknown[]): string {
  if (values.some((value) => !isString(value) && String(value) === found)) return ' Remove the quotes.'
  const here = valueFromElsewhere(String(path.at(-1)), found)
  return here === undefined ? suggest(found, values.filter(isString)) : ` Write ${here}.`
}

/** What people write who know other formats, or an older YAML. */
function hintAtType(schema: JsonSchema = {}, found: unknown): string {
  const { type, additionalProperties } = schema
  if (Array.isArray(found) && typeof additionalProperties === 'object') return ' Each one stands under its name.'
  if (typeof found === 'object') return ''
  switch (type) {
    case 'string':
      return ' Put the value in quotes.'
    case 'object':
      return attributesOf(schema)
    case 'array':
      return ' A list is written [a, b]; with one element, [a].'
    case 'boolean': {
      const meant = /^(y|yes|on|true)$/i.test(String(found)) ? 'true' : 'false'
      return /^(y|yes|on|true|n|no|off|false)$/i.test(String(found)) ? ` Write ${meant}, without quotes.` : ''
    }
    case 'integer':
    case 'number':
      if (typeof found !== 'string' || !/^\d/.test(found)) return ''
      return /^\d+$/.test(found) ? ' Remove the quotes.' : ' Write the number alone.'
    default:
      return ''
  }
}

function explainSize(schema: JsonSchema | undefined, found: unknown): { summary: string; detail: string } {
  if (Array.isArray(found)) return { summary: 'Empty list', detail: 'At least one element is needed.' }
  if (typeof found === 'string') return { summary: 'Empty value', detail: 'It must not be empty.' }
  const { minimum, maximum } = schema ?? {}
  return {
    summary: 'Value out of range',
    detail: `Expected a whole number ${maximum === undefined ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`}, found ${found}.`,
  }
}

function nameOfExpected(schema: JsonSchema | undefined): string {
  if (schema?.enum) return alternatives(schema.enum)
  if (schema?.const !== undefined) return String(schema.const)
  switch (schema?.type) {
    case 'integer':
      return 'a whole number'
    case 'array':
      return 'a list'
    case 'object':
      return 'a map'
    case 'boolean':
      return 'true or false'
    default:
      return 'a string'
  }
}

function nameOfFound(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (typeof value === 'number') return Number.isInteger(value) ? 'a whole number' : 'a fraction'
  return typeof value === 'boolean' ? 'true or false' : 'a string'
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = Object.entries(value).find(([key]) => key === String(part))?.[1]
  }
  return value
}
