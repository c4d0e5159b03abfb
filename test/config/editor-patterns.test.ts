import { Ajv } from 'ajv'
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { parseDocument } from 'yaml'
import { editorSchema } from '../../agent/config/editor-schema.ts'
import { documents, load } from './canaries.ts'

vi.setConfig({ testTimeout: 120_000 })

type Path = readonly (string | number)[]

const PALETTE = ['provider', 'palette']
const location = (name: string, ...path: Path): Path => ['resource', 'backup_storage_location', name, ...path]
const policy = (...path: Path): Path => ['resource', 'backup_policy', 'nightly', ...path]

/** Attributes whose text is checked, and how texts begin that come near. */
const TEXTS: readonly (readonly [Path, readonly string[]])[] = [
  [
    [...PALETTE, 'cluster_name'],
    ['', 'a', '-'],
  ],
  [
    [...PALETTE, 'namespace'],
    ['', 'a'],
  ],
  [
    [...PALETTE, 'mongodb', 'uri'],
    ['', 'http://'],
  ],
  [
    [...PALETTE, 'kubernetes', 'service_account_directory'],
    ['', '/', '.'],
  ],
  [
    [...PALETTE, 'kubernetes', 'secrets', 0],
    ['', 'a', 'a/', 'a/b'],
  ],
  [
    [...PALETTE, 'kubernetes', 'helm_releases', 0],
    ['', 'a', 'a/', 'a/b'],
  ],
  [location('offsite', 'bucket_name'), ['', 'aa', 'a.']],
  [location('offsite', 'folder'), ['', '/', '../', 'a/', 'a/..']],
  [location('archive', 's3', 'arn'), ['', 'arn:', 'arn']],
  [location('nas', 'ftp', 'directory'), ['', '/', '../', 'a/', 'a/..']],
  [location('volume', 'filesystem', 'path'), ['', '/', '.']],
  [location('volume', 'filesystem', 'marker'), ['', 'a', '.']],
  [policy('timeout'), ['', '1', '12h', '0']],
  [policy('namespaces', 0), ['', 'a']],
  [policy('include_databases', 0), ['', 'a', 'admin', 'local']],
]

/** Here the program knows more than a pattern can say. */
const KNOWN_BETTER: readonly (readonly [Path, readonly string[]])[] = [
  [
    [...PALETTE, 'mongodb', 'uri'],
    ['mongodb:', 'mongodb://', 'mongodb+srv://', 'mongodb://h/?', 'mongodb://h:'],
  ],
  [
    [...PALETTE, 'host'],
    ['', 'https://', 'HTTPS://', 'http://', 'ftp://'],
  ],
  [
    [...PALETTE, 'kubernetes', 'server'],
    ['', 'https://', 'https://10.0.0.1:', 'http://'],
  ],
  [location('offsite', 's3', 's3_url'), ['', 'https://', 'HTTP://a', 'http://a:', 'ftp://']],
  [location('nas', 'ftp', 'server'), ['', 'ftp://', 'FTP://a', 'a:', 'ftps://', 'a:2']],
  [
    ['resource', 'backup_policy', 'weekly', 'schedule'],
    ['', '0 2 * * *', '* * * *', '@daily', '1 '],
  ],
  [policy('encryption', 'age_recipients', 0), ['', 'age1', 'age1pq1', 'age1yubikey1', 'AGE1']],
]

const everything = documents.get('everything.yaml') ?? ''
const validate = new Ajv({ strict: false, allErrors: true }).compile(editorSchema())

/** Whether the program and the schema have something to say at this place, when this text stands there. */
async function compared(path: Path, text: string): Promise<{ program: boolean; schema: boolean }> {
  const document = parseDocument(everything)
  document.setIn(path, text)
  const { diagnostics } = await load(document.toString())
  validate(document.toJS())
  const pointer = `/${path.join('/')}`
  return {
    program: diagnostics.some((one) => one.severity === 'error' && one.path?.join('/') === path.join('/')),
    schema: (validate.errors ?? []).some(({ instancePath }) => instancePath === pointer),
  }
}

const near = (beginnings: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...beginnings), fc.stringMatching(/^[aZ09./:@_ *?#-]{0,7}$/))
    .map((parts) => parts.join(''))
    .filter((text) => text.trim() !== '')

it.each(TEXTS)('schema and program agree on %j', async (path, beginnings) => {
  await fc.assert(
    fc.asyncProperty(near(beginnings), async (text) => {
      const { program, schema } = await compared(path, text)
      expect({ text, schema }).toEqual({ text, schema: program })
    }),
    { numRuns: 60 },
  )
})

it.each(KNOWN_BETTER)('the schema complains of nothing the program takes at %j', async (path, beginnings) => {
  await fc.assert(
    fc.asyncProperty(near(beginnings), async (text) => {
      const { program, schema } = await compared(path, text)
      if (schema) expect({ text, program }).toEqual({ text, program: true })
    }),
    { numRuns: 60 },
  )
})
