import { readdir, readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { configJsonSchema, type JsonSchema } from '../../agent/config/json-schema.ts'
import { loadConfig } from '../../agent/config/load.ts'
import { formatDiagnostics } from '../../agent/core/diagnostics.ts'

const FOLDER = new URL('invalid/', import.meta.url)

/** Every secret of these files, and every secret that the environment holds. */
const SECRETS = ['swordfish', 'hunter2', '123456']

const env = {
  MONGODB_URI: 'mongodb://u:hunter2@h/?replicaSet=rs0',
  FTP_PASSWORD: 'hunter2',
  S3_ACCESS_KEY: 'hunter2',
  EMPTY: '',
  TWO_LINES: 'hunter2\nDELE x',
}

const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.yaml')).sort()

/** Every name of the schema, at any depth. */
function namesIn(schema: JsonSchema): string[] {
  const { properties = {}, additionalProperties: named } = schema
  const below = Object.entries(properties).flatMap(([name, inner]) => [name, ...namesIn(inner)])
  return typeof named === 'object' ? [...below, ...namesIn(named)] : below
}

it('what an explanation advises to write is an attribute there is', async () => {
  const known = new Set(namesIn(configJsonSchema()))
  for (const file of files) {
    const text = await readFile(new URL(file, FOLDER), 'utf8')
    const explained = await readFile(new URL(file.replace(/\.yaml$/, '.txt'), FOLDER), 'utf8')
    // Details are what is indented by two and begins neither with a place nor with a line number.
    const details = explained.split('\n').filter((line) => /^ {2}[^ ]/.test(line) && !/^ {2}(on |\d+:)/.test(line))
    const named =
      details.join('\n').match(/\b[a-z0-9]+(_[a-z0-9]+)+\b|(?<=attribute |called |the map )(?!is\b)[a-z]\w+/g) ?? []
    for (const name of named) expect([file, name, known.has(name) || text.includes(name)]).toEqual([file, name, true])
  }
})

it.each(files)('%s is explained as in the text beside it', async (file) => {
  const text = await readFile(new URL(file, FOLDER), 'utf8')
  const { config, diagnostics } = await loadConfig(text, { file, env })

  const explained = formatDiagnostics(diagnostics)
  expect(diagnostics.length).toBeGreaterThan(0)
  expect(config === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'))
  for (const { range } of diagnostics) expect(range?.line).toBeGreaterThan(0)
  for (const secret of SECRETS) {
    expect(explained).not.toContain(secret)
    expect(JSON.stringify(diagnostics)).not.toContain(secret)
  }
  await expect(explained).toMatchFileSnapshot(new URL(file.replace(/\.yaml$/, '.txt'), FOLDER).pathname)
})
