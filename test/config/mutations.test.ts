import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml'
import { schemaAt } from '../../agent/config/json-schema.ts'
import { CANARY, check, checkConfig, documents, load } from './mutated.ts'

/** Thousands of files are read; nobody else's time must fail this. */
vi.setConfig({ testTimeout: 120_000 })

const document = fc.constantFrom(...documents.values())
const seed = fc.nat()

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
