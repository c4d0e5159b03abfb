import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { parseDocument } from 'yaml'
import { schemaAt } from '../../agent/config/json-schema.ts'
import { CANARY, check, checkConfig, documents, load } from './canaries.ts'
import { mapsOf, mutated, mutation, pick } from './mutation.ts'

/** Thousands of files are read; nobody else's time must fail this. */
vi.setConfig({ testTimeout: 120_000 })

const document = fc.constantFrom(...documents.values())
const seed = fc.nat()
/** `__proto__` is refused before anything has a path: see the fixture of its own. */
const name = fc.stringMatching(/^[a-z_]{1,12}$/).filter((text) => text !== '__proto__')

it('a renamed key is never overlooked', async () => {
  await fc.assert(
    fc.asyncProperty(document, seed, name, async (text, at, key) => {
      const parsed = parseDocument(text)
      const map = pick(
        mapsOf(parsed.contents).filter(({ known }) => known),
        at,
      )
      const pair = pick(map.node.items, at)
      if (schemaAt([...map.path, key])) return
      pair.key = parsed.createNode(key)
      const loaded = await load(parsed.toString())
      check(loaded)
      expect(loaded.config).toBeUndefined()
      expect(loaded.diagnostics.map(({ path }) => path?.join('.'))).toContain([...map.path, key].join('.'))
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
  await fc.assert(
    fc.asyncProperty(document, fc.array(mutation(values), { minLength: 1, maxLength: 4 }), async (text, mutations) => {
      const loaded = await load(mutated(text, mutations))
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
