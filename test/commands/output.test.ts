import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentOptions, COMPILED, runCommand } from '../support/agent-process.ts'
import { configurationText, folderText } from '../support/configuration-text.ts'

const MAIN = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))

let folder: string
let options: AgentOptions

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'output-'))
  await mkdir(join(folder, 'backups'))
  const configFile = join(folder, 'palette-backup.yaml')
  await writeFile(
    configFile,
    configurationText({
      clusterName: 'prod',
      uriEnv: 'MONGODB_URI',
      locations: [folderText('nas', join(folder, 'backups'))],
      policy: 'nightly',
      policyLocations: ['nas'],
      attributes: ['schedule: "0 2 * * *"', 'retention_period: 14'],
    }),
  )
  options = { configFile, env: { MONGODB_URI: 'mongodb://127.0.0.1:1/' } }
})

afterAll(() => rm(folder, { recursive: true }))

/** Runs a command with standard output somewhere else than in a pipe. */
async function runInto(command: readonly [string, ...string[]], stdout: number | 'pipe') {
  const [program, ...args] = command
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILED, ...options.env },
    stdio: ['ignore', stdout, 'pipe'],
  })
  let stderr = ''
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdout?.destroy()
  const [code] = await once(child, 'close')
  return { code, stderr }
}

describe('what cannot be printed', () => {
  const LISTS = [[['list']], [['list', '--json']], [['show', '--json']], [['schema']], [['--help']]]

  it.each(LISTS)('%j to a full disk is no success', async (args) => {
    const full = await open('/dev/full', 'w')
    const ofFile = ['list', 'show'].includes(args[0] ?? '') ? ['-c', options.configFile] : []
    const { code, stderr } = await runInto([process.execPath, MAIN, ...args, ...ofFile], full.fd)
    await full.close()
    expect(stderr).toBe(
      'Error: what was printed is incomplete: writing to standard output: ENOSPC: no space left on device, write\n',
    )
    expect(code).toBe(1)
  })

  it('is told where standard output cannot be written to at all', async () => {
    const readable = await open('/dev/null', 'r')
    const { code, stderr } = await runInto([process.execPath, MAIN, 'schema'], readable.fd)
    await readable.close()
    expect(stderr).toMatch(/^Error: what was printed is incomplete: .*EBADF.*\n$/)
    expect(code).toBe(1)
  })

  it('is told where a file took a part of it', async () => {
    const file = join(folder, 'cut-short')
    const script = 'ulimit -f 1; exec "$0" "$1" schema >"$2"'
    const { code, stderr } = await runInto(['sh', '-c', script, process.execPath, MAIN, file], 'pipe')
    expect((await stat(file)).size).toBeLessThan(2048)
    expect(stderr).toMatch(/^Error: what was printed is incomplete: .*EFBIG.*\n$/)
    expect(code).toBe(1)
  })

  it('is not missed by a reader that went away', async () => {
    expect(await runInto([process.execPath, MAIN, 'schema'], 'pipe')).toEqual({ code: 0, stderr: '' })
  })
})

describe('with --json', () => {
  it.each([
    [['prune', '--json', '--bogus'], { message: "unknown option '--bogus'" }],
    [['prune', '--json', '--dryrun'], { message: "unknown option '--dryrun'", hint: 'Did you mean --dry-run?' }],
    [['pin', '--json'], { message: "missing required argument 'backup'" }],
    [['bogus', '--json'], { message: "unknown command 'bogus'" }],
    [
      ['validate', '--json', '--permission', 'foo'],
      {
        message: "option '--permission <kind>' argument 'foo' is invalid. Allowed choices are read, write, readwrite.",
      },
    ],
    [
      ['agent', '--json', '--port', '70000'],
      { message: expect.stringContaining('It takes a number from 0 to 65535.') },
    ],
    [['help', 'bogus', '--json'], { message: 'which command? Name one', hint: 'palette-backup --help lists them.' }],
  ])('wrong usage is told as JSON: %s', async (args, error) => {
    const { code, stdout, stderr } = await runCommand(options, args)
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'config', ...error } })
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
  })

  it('without it, as text', async () => {
    expect(await runCommand(options, ['prune', '--dryrun'])).toEqual({
      code: 2,
      stdout: '',
      stderr: "error: unknown option '--dryrun'\n(Did you mean --dry-run?)\n",
    })
    expect(await runCommand(options, ['list', '--policy', 'nightly', '--', '--json'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('error: too many arguments'),
    })
  })

  it.each(['agent', 'list', 'plan'])('%s tells as JSON why a configuration is refused', async (command) => {
    const configFile = join(folder, 'broken.yaml')
    await writeFile(configFile, 'version: 1\nprovider: { palette: { cluster_name: prod } }\nresource: { x: 1 }\n')
    const { code, stdout, stderr } = await runCommand({ ...options, configFile }, [command, '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ diagnostics: [{ severity: 'error', path: ['resource', 'x'] }] })
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
  })
})

describe('validate --offline', () => {
  it.each([
    ['mongodb://u:swordfish@h:999999/', 'the port of its host is no number from 1 to 65535'],
    ['mongodb://u:swordfish@h/?foo=bar', 'one of its options is not known'],
    ['mongodb://u:swordfish@h/?maxPoolSize=abc', 'its option maxPoolSize has a value that is none for it'],
  ])('refuses %s, and says for which part', async (MONGODB_URI, what) => {
    const { code, stdout, stderr } = await runCommand({ ...options, env: { MONGODB_URI } }, ['validate', '--offline'])
    expect(stderr).toContain(`MongoDB's driver will refuse it: ${what}`)
    expect(stderr).toContain('in provider.palette.mongodb.uri')
    expect(stderr).toContain('Invalid: 1 error.')
    expect(stderr + stdout).not.toContain('swordfish')
    expect(code).toBe(2)
  })

  it('is content with one that the driver takes, whether or not it leads anywhere', async () => {
    expect(await runCommand(options, ['validate', '--offline'])).toEqual({ code: 0, stdout: '', stderr: 'Valid.\n' })
  })
})
