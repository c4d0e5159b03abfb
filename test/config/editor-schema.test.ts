import { readdir, readFile } from 'node:fs/promises'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { parse, parseDocument } from 'yaml'
import { editorSchema } from '../../agent/config/editor-schema.ts'
import { EXAMPLES } from '../support/examples.ts'
import { documents, load } from './canaries.ts'
import { mutated, mutation } from './mutation.ts'

vi.setConfig({ testTimeout: 120_000 })

const INVALID = new URL('invalid/', import.meta.url)

/** What is wrong in these, JSON Schema has no words for. */
const BEYOND: Readonly<Record<string, readonly string[]>> = {
  'what lies outside of the file': [
    ...['age-recipient-by-reference', 'file-is-a-directory', 'file-missing', 'variable-empty', 'variable-not-set'],
    'credential-of-two-lines',
    ...['ca-cert-is-none', 'mongodb-uri-invalid', 'palette-api-key-alone'],
  ],
  'one value against another': [
    ...['retention-shorter-than-interval', 's3-url-with-bucket', 'same-bucket-of-amazon', 'same-place-by-default-port'],
    ...['same-place-twice', 'secrets-in-clear', 'unknown-location'],
  ],
  'what the driver of MongoDB makes of a connection string': [
    ...['mongodb-uri-option', 'mongodb-uri-password-not-encoded', 'mongodb-uri-password-with-a-question'],
    'mongodb-uri-port',
  ],
  'the calendar and the words of cron': ['cron-invalid', 'cron-never'],
  'what every text would have to be checked for': ['template-in-a-folder'],
  'YAML that a parser resolves before the schema sees it': ['alias', 'tag'],
}

const ajv = new Ajv({ strict: false, allErrors: true })
const validate = ajv.compile(editorSchema())
const withYaml = async (folder: URL) => (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort()

const [examples, invalid] = await Promise.all([withYaml(EXAMPLES), withYaml(INVALID)])

describe('the schema that editors and Helm read', () => {
  it.each(examples)('accepts config/%s', async (name) => {
    validate(parse(await readFile(new URL(name, EXAMPLES), 'utf8')))
    expect(validate.errors ?? []).toEqual([])
  })

  it.each(invalid)('says of %s what the program says, or cannot', async (name) => {
    const text = await readFile(new URL(name, INVALID), 'utf8')
    const explained = await readFile(new URL(name.replace(/yaml$/, 'txt'), INVALID), 'utf8')
    const parsed = parseDocument(text, { logLevel: 'silent' })
    const isBeyond = Object.values(BEYOND)
      .flat()
      .includes(name.replace(/\.yaml$/, ''))
    const refuses = parsed.errors.length > 0 || !validate(parsed.toJS())
    expect(refuses).toBe(/^Error:/m.test(explained) && !isBeyond)
  })

  it('names no file as beyond it that is not there', () => {
    for (const name of Object.values(BEYOND).flat()) expect(invalid).toContain(`${name}.yaml`)
  })

  it('complains of nothing that the program takes, however a file is changed', async () => {
    const plausible = fc.oneof(
      fc.stringMatching(/^[a-z0-9./:@_ *?#-]{1,14}$/),
      fc.stringMatching(/^(https?|ftp|mongodb|HTTPS):\/\/[a-z0-9./:@?#-]{1,14}$/),
      fc.stringMatching(/^(\/|\.|[a-z]){1,9}$/),
      fc.integer({ min: -1, max: 30 }),
      fc.boolean(),
      fc.constant({ $env: 'SET' }),
      fc.array(fc.oneof(fc.integer({ min: 0, max: 23 }), fc.stringMatching(/^[a-zA-Z0-9./-]{1,9}$/)), { maxLength: 3 }),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...documents.values()),
        fc.array(mutation(plausible), { minLength: 1, maxLength: 3 }),
        async (text, mutations) => {
          const changed = mutated(text, mutations)
          const { config } = await load(changed)
          // Only what is taken counts as a run.
          fc.pre(config !== undefined)
          validate(withoutNulls(parse(changed)))
          expect({ changed, errors: validate.errors ?? [] }).toMatchObject({ errors: [] })
        },
      ),
      { numRuns: 40 },
    )
  })
})

/** A key without a value is not written for the program; an editor marks it. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const written = Object.entries(value).filter(([, inner]) => inner !== null)
  return Object.fromEntries(written.map(([key, inner]) => [key, withoutNulls(inner)]))
}
