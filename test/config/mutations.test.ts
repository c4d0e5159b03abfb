import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml'
import { schemaAt } from '../../agent/config/json-schema.ts'
import { type LoadedConfig, loadConfig } from '../../agent/config/load.ts'
import { formatDiagnostics } from '../../agent/core/diagnostics.ts'
import { RECIPIENTS } from '../support/examples.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'

/** Thousands of files are read; nobody else's time must fail this. */
vi.setConfig({ testTimeout: 120_000 })

/** What no message may ever hold, wherever a mutation has put it. */
const CANARY = 'c4nary!swordfish'

const CONFIG = new URL('../../config/', import.meta.url)
const names = (await readdir(CONFIG)).filter((name) => name.endsWith('.yaml'))
const documents = await Promise.all(
  names.map(async (name) => withCanaries(await readFile(new URL(name, CONFIG), 'utf8'))),
)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mutations-'))
  await mkdir(join(folder, 'secrets'))
  await writeFile(join(folder, 'secrets/ca.pem'), selfSignedCertificate().cert)
  await writeFile(join(folder, 'age-recipient.txt'), RECIPIENTS[0])
})
afterAll(() => rm(folder, { recursive: true }))

/** Secrets written out, so that a mutation can carry them to every place; other references as plain values. */
function withCanaries(text: string): string {
  const reference = /^( *)(\w+): \{ *\$(?:env|file): *(\S+) *\}/gm
  return text
    .replaceAll('{ $env: SECOND_AGE_RECIPIENT }', RECIPIENTS[1])
    .replaceAll(/(mongodb): \{ (uri: \{[^}]*\}) \}/g, '$1:\n      $2')
    .replaceAll(reference, (all, indent: string, key: string, name: string) => {
      if (name.endsWith('.pem')) return all
      if (key === 'uri') return `${indent}uri: "mongodb://user:${CANARY}@mongo-0.mongo:27017/"`
      if (key === 's3_url') return `${indent}s3_url: "https://user:${CANARY}@s3.example.com"`
      return `${indent}${key}: ${/server|username|external_id/.test(key) ? 'plain' : CANARY}`
    })
}

async function load(text: string): Promise<LoadedConfig> {
  return await loadConfig(text, { file: join(folder, 'palette-backup.yaml'), env: {} })
}

/** What holds of every text whatsoever. */
function check({ config, diagnostics }: LoadedConfig): void {
  expect(config === undefined).toBe(diagnostics.some(({ severity }) => severity === 'error'))
  for (const { range, summary, detail } of diagnostics) {
    if (summary !== 'Too many problems') expect(range?.line).toBeGreaterThan(0)
    expect(detail.length).toBeGreaterThan(0)
  }
  expect(formatDiagnostics(diagnostics) + JSON.stringify(diagnostics) + JSON.stringify(config ?? {})).not.toContain(
    CANARY,
  )
}

/** Where no value can have slipped into an attribute that is shown. */
function checkConfig({ config }: LoadedConfig): void {
  expect(JSON.stringify(config ?? {}) + inspect(config, { depth: 9 })).not.toContain(CANARY)
}

const document = fc.constantFrom(...documents)
const seed = fc.nat()

it('a file that ends anywhere is told of, and never taken with a part of its policies as a surprise', async () => {
  for (const [name, step] of [
    ['minimal.yaml', 1],
    ['everything.yaml', 11],
  ] as const) {
    const text = documents[names.indexOf(name)] ?? ''
    for (let length = 0; length < text.length; length += step) {
      const loaded = await load(text.slice(0, length))
      check(loaded)
      checkConfig(loaded)
    }
  }
})

it('a renamed key is never overlooked', async () => {
  await fc.assert(
    fc.asyncProperty(document, seed, fc.stringMatching(/^[a-z_]{1,12}$/), async (text, at, name) => {
      const parsed = parseDocument(text)
      const map = pick(
        mapsOf(parsed.contents).filter(({ known }) => known),
        at,
      )
      const pair = pick(map.node.items, at)
      if (schemaAt([...map.path, name])) return
      pair.key = parsed.createNode(name)
      const loaded = await load(parsed.toString())
      check(loaded)
      expect(loaded.config).toBeUndefined()
      expect(loaded.diagnostics.map(({ path }) => path?.join('.'))).toContain([...map.path, name].join('.'))
    }),
    { numRuns: 80 },
  )
})

it('whatever is dropped, retyped, doubled or moved: an answer, with a place, and without a secret', async () => {
  const values = fc.oneof(
    fc.constantFrom<unknown>(null, '', -1, 0, 1.5, true, [], {}, { [CANARY]: CANARY }),
    fc.constantFrom<unknown>({ password: CANARY }, { $env: 'X' }, { $file: '/nowhere' }, { $env: 'A', $file: 'b' }),
    fc.jsonValue(),
  )
  const mutation = fc.record({
    kind: fc.constantFrom('drop', 'retype', 'double', 'move', 'reorder'),
    at: seed,
    to: seed,
    value: values,
  })
  await fc.assert(
    fc.asyncProperty(document, fc.array(mutation, { minLength: 1, maxLength: 4 }), async (text, mutations) => {
      const parsed = parseDocument(text)
      for (const { kind, at, to, value } of mutations) {
        const maps = mapsOf(parsed.contents)
        const { items } = pick(maps, at).node
        if (items.length === 0) continue
        const index = at % items.length
        if (kind === 'drop') items.splice(index, 1)
        if (kind === 'reorder') items.reverse()
        if (kind === 'retype') pick(items, at).value = parsed.createNode(value)
        if (kind === 'double') items.push(pick(items, at))
        if (kind === 'move') {
          const target = pick(maps, to).node
          const moved = pick(items, at)
          if (mapsOf(moved.value).some(({ node }) => node === target)) continue
          items.splice(index, 1)
          target.items.push(moved)
        }
      }
      const loaded = await load(parsed.toString({ verifyAliasOrder: false }))
      check(loaded)
      checkConfig(loaded)
    }),
    { numRuns: 150 },
  )
})

it('whatever stands in the text: an answer, with a place, and without a secret', async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '\t',
      ': ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '#',
      '&a ',
      '*a',
      '<<: ',
      '!!x ',
      '|',
      '>',
      '?',
      '---\n',
    ),
    fc.constantFrom('\r', '\u0000', '\u2028', '\uFEFF', '%', '@', '`', ' ', '\n', `pass: ${CANARY}\n`),
    fc.string({ unit: 'binary', maxLength: 5 }),
  )
  await fc.assert(
    fc.asyncProperty(document, seed, fc.nat({ max: 20 }), piece, async (text, at, cut, inserted) => {
      const start = at % text.length
      check(await load(text.slice(0, start) + inserted + text.slice(start + cut)))
    }),
    { numRuns: 100 },
  )
})

interface FoundMap {
  readonly node: YAMLMap
  readonly path: readonly string[]
  /** The schema lists its keys: they are no names of the operator's. */
  readonly known: boolean
}

function mapsOf(node: unknown, path: readonly string[] = []): FoundMap[] {
  if (isSeq(node)) return sequence(node).flatMap((item, index) => mapsOf(item, [...path, String(index)]))
  if (!isMap(node)) return []
  const map: FoundMap = { node, path, known: node.items.length > 0 && schemaAt(path)?.properties !== undefined }
  return [map, ...node.items.flatMap(({ key, value }) => mapsOf(value, [...path, String(key)]))]
}

function sequence({ items }: YAMLSeq): readonly unknown[] {
  return items
}

function pick<T>(from: readonly T[], at: number): T {
  const picked = from[at % from.length]
  if (picked === undefined) throw new Error('nothing to pick from')
  return picked
}
