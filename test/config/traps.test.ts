import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig, readConfigFile } from '../../agent/config/load.ts'
import { formatDiagnostics } from '../../agent/core/diagnostics.ts'

const MINIMAL = await readFile(new URL('../../config/minimal.yaml', import.meta.url), 'utf8')
const env = { MONGODB_URI: 'mongodb://user:swordfish@mongo-0.mongo:27017/?replicaSet=rs0' }

const load = (text: string) => loadConfig(text, { file: 'palette-backup.yaml', env })
const summaries = async (text: string) => (await load(text)).diagnostics.map(({ summary }) => summary)

function repeat(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => line(index)).join('')
}

/** Each takes a moment, and would take minutes if anything grew with the square of a file's size. */
const TRAPS: readonly (readonly [string, string, string])[] = [
  [
    '10,000 keys that nobody knows',
    `${MINIMAL}${repeat(10_000, (index) => `k${index}: 1\n`)}`,
    'Unsupported attribute',
  ],
  ['a key 10,000 times', repeat(10_000, () => 'version: 1\n'), 'Duplicate key'],
  ['maps in maps, 1,300 deep', `version:\n${repeat(1300, (index) => `${' '.repeat(index + 1)}a:\n`)}`, 'Invalid YAML'],
  ['maps in maps, 60 deep', `version: ${'{ a: '.repeat(60)}1${' }'.repeat(60)}\n`, 'Invalid YAML'],
  ['lists in lists, 50,000 deep', `version: ${'['.repeat(50_000)}`, 'Invalid YAML'],
  ['a quote that never ends', `version: "${'x '.repeat(400_000)}`, 'Invalid YAML'],
  ['a line of 1,000,000 characters', `version: ${'x'.repeat(1_000_000)}\n`, 'Invalid value'],
  ['a list of 50,000', `${MINIMAL}more: [${'1,'.repeat(50_000)}]\n`, 'Unsupported attribute'],
  ['30,000 mistakes of YAML', repeat(30_000, () => '"\\q"\n'), 'Invalid YAML'],
  ['10 MB', `# ${'x'.repeat(10_000_000)}`, 'File too large'],
  ['bytes that are no text', Buffer.from('7f454c46020101000000', 'hex').toString(), 'Not a text file'],
  ['UTF-16', Buffer.from(MINIMAL, 'utf16le').toString(), 'Not a text file'],
  [
    'aliases that would multiply to 3 * 10^9',
    `a0: &a0 [x, x, x, x, x, x, x, x, x]\n${repeat(9, (n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(9)}]\n`)}`,
    'Alias in the configuration',
  ],
]

describe('a file that is a trap', () => {
  it.each(TRAPS)('%s', async (_, text, summary) => {
    const { config, diagnostics } = await load(text)
    expect(config).toBeUndefined()
    expect(diagnostics.map((one) => one.summary)).toContain(summary)
    expect(diagnostics.length).toBeLessThanOrEqual(101)
    expect(formatDiagnostics(diagnostics).length).toBeLessThan(100_000)
  })

  it('says how much it left out', async () => {
    const { diagnostics } = await load(`${MINIMAL}${repeat(150, (index) => `k${index}: 1\n`)}`)
    expect(diagnostics).toHaveLength(101)
    expect(diagnostics.at(-1)).toEqual({
      severity: 'error',
      summary: 'Too many problems',
      detail: '50 more problems are not listed. Correct those above first.',
    })
  })

  it('is read no further than it may be large: a device that never ends is refused, as a secret too', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'traps-'))
    const file = join(folder, 'palette-backup.yaml')
    await writeFile(file, MINIMAL.replace('$env: MONGODB_URI', '$file: /dev/zero'))
    expect((await readConfigFile('/dev/zero', env)).diagnostics).toMatchObject([{ summary: 'File too large' }])
    expect((await readConfigFile(file, env)).diagnostics).toMatchObject([
      { summary: 'File too large', detail: '/dev/zero is larger than 1 MiB.' },
    ])
    await rm(folder, { recursive: true })
  })
})

it('a named pipe is refused at once, as the file and as a secret: to open it would wait for ever', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'traps-'))
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const file = join(folder, 'palette-backup.yaml')
  await writeFile(file, MINIMAL.replace('$env: MONGODB_URI', '$file: pipe'))
  const summary = 'Configuration cannot be read'
  expect((await readConfigFile(pipe, env)).diagnostics).toMatchObject([
    { summary, detail: expect.stringContaining(': this is a pipe, not a file.') },
  ])
  expect((await readConfigFile(file, env)).diagnostics).toMatchObject([
    { detail: `${pipe}: this is a pipe, not a file.` },
  ])
  const directory = { summary, detail: expect.stringContaining(`${folder}: this is a directory.`) }
  expect((await readConfigFile(folder, env)).diagnostics).toMatchObject([directory])
  await rm(folder, { recursive: true })
})

it('a secret that is no text is refused, and the mark of Windows at its beginning is none of it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'traps-'))
  const file = join(folder, 'palette-backup.yaml')
  await writeFile(file, MINIMAL.replace('$env: MONGODB_URI', '$file: uri'))
  await writeFile(join(folder, 'uri'), Buffer.from([0xff, 0xfe, 0x6d, 0x00]))
  expect((await readConfigFile(file, env)).diagnostics).toMatchObject([{ summary: 'File is not text' }])
  await writeFile(join(folder, 'uri'), `\uFEFF${env.MONGODB_URI}\r\n`)
  expect((await readConfigFile(file, env)).config?.palette.mongodb?.uri.reveal()).toBe(env.MONGODB_URI)
  await rm(folder, { recursive: true })
})

describe('a file that only looks like a trap', () => {
  it.each([
    ['a byte order mark', `\uFEFF${MINIMAL}`],
    ['lines that end with CR LF', MINIMAL.replaceAll('\n', '\r\n')],
    ['no newline at its end', MINIMAL.trimEnd()],
    ['a document start', `---\n${MINIMAL}`],
    ['a document end', `${MINIMAL}...\n`],
    ['trailing spaces', MINIMAL.replaceAll('\n', '  \n')],
    ['a name like a date', MINIMAL.replace('cluster_name: prod-eu', 'cluster_name: 2026-11-25')],
    ['a name like a word for false', MINIMAL.replace('cluster_name: prod-eu', 'cluster_name: no')],
    ['a number that begins with 0', MINIMAL.replace('[2]', '[02]')],
    ['keys in another order', `${MINIMAL.replace(/^version: 1\n/m, '')}version: 1\n`],
  ])('%s: is taken', async (_, text) => {
    const { config, diagnostics } = await load(text)
    expect(diagnostics).toEqual([])
    expect(config?.policies).toMatchObject([{ name: 'nightly', schedule: { hoursOfDay: [2] } }])
  })

  it('columns are right after a byte order mark and with CR LF', async () => {
    const text = `\uFEFF${MINIMAL.replace('interval: 1', 'intervall: 1').replaceAll('\n', '\r\n')}`
    const { diagnostics } = await load(text)
    expect(diagnostics).toMatchObject([{ range: { column: 7, length: 9, source: '      intervall: *' } }])
    expect(formatDiagnostics(diagnostics)).not.toContain('\r')
  })

  it('a tab, a second document and a duplicate are told by their place', async () => {
    expect(await summaries('version: 1\n\tprovider: {}\n')).toEqual(['Invalid YAML'])
    expect((await load('version: 1\n---\nversion: 1\n')).diagnostics).toMatchObject([{ range: { line: 2 } }])
    expect((await load('version: 1\nversion: 1\n')).diagnostics).toMatchObject([{ range: { line: 2, column: 1 } }])
  })
})
