import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { type FtpDouble, startFtp } from '../support/ftp/server.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { seedStore } from '../support/mongodb/palette-load.ts'
import { type MongodbDouble, startMongodb } from '../support/mongodb/server.ts'
import { type S3Double, startS3 } from '../support/s3/server.ts'
import { until } from '../support/until.ts'

/** Commands of the real program, one after another on a busy machine. */
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

/** Every secret there is, right and wrong ones; with characters that addresses and JSON write otherwise. */
const SECRETS = {
  mongodb: 'canary+Mongo/db"1',
  accessKey: 'CANARYACCESSKEY2',
  secretKey: 'canary/Secret+key"3',
  ftp: 'canary Ftp"pass\\4',
  token: 'canary-token-5',
  wrong: 'canary+Wrong/6',
} as const

let folder: string
let mongodb: MongodbDouble
let s3: S3Double
let ftp: FtpDouble
let agent: AgentProcess
let options: { configFile: string; env: Record<string, string> }
/** All that the program has said, by what said it. */
const said = new Map<string, string>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canaries-'))
  mongodb = await startMongodb({ auth: { username: 'backup', password: SECRETS.mongodb } })
  seedStore(mongodb.store, paletteCollections({ bytes: 500_000 }))
  s3 = await startS3({ bucket: 'palette-backups', accessKey: SECRETS.accessKey, secretKey: SECRETS.secretKey })
  ftp = await startFtp({ username: 'backup', password: SECRETS.ftp })
  await mkdir(join(folder, 'secrets'))
  await writeFile(join(folder, 'secrets/ftp_password'), `${SECRETS.ftp}\n`)
  await writeFile(join(folder, 'secrets/token'), `${SECRETS.token}\n`)
  const uri = new URL(mongodb.uri)
  uri.username = 'backup'
  uri.password = encodeURIComponent(SECRETS.mongodb)
  options = {
    configFile: join(folder, 'palette-backup.yaml'),
    env: { CANARY_URI: uri.href, CANARY_ACCESS_KEY: SECRETS.accessKey, PALETTE_BACKUP_LOG_LEVEL: 'trace' },
  }
  await writeFile(options.configFile, configuration())
  agent = await AgentProcess.start(options, ['--token-file', join(folder, 'secrets/token')])
})

afterAll(async () => {
  await agent?.stop()
  await Promise.all([mongodb.stop(), s3.stop(), ftp.stop()])
  await rm(folder, { recursive: true })
})

/** One secret from the environment, one written out, one from a file. */
function configuration(secretKey: string = SECRETS.secretKey): string {
  return `version: 1
provider:
  palette:
    cluster_name: lab
    mongodb: { uri: { $env: CANARY_URI } }
resource:
  backup_storage_location:
    offsite:
      storage_provider: s3
      bucket_name: palette-backups
      region: eu-west-1
      s3:
        credential_type: secret
        access_key: { $env: CANARY_ACCESS_KEY }
        secret_key: ${JSON.stringify(secretKey)}
        s3_url: ${s3.url}
    nas:
      storage_provider: ftp
      ftp:
        server: 127.0.0.1:${ftp.port}
        username: backup
        password: { $file: secrets/ftp_password }
        tls: none
  backup_policy:
    nightly:
      backup_locations: [offsite, nas]
      schedule: "0 2 1 1 *"
      retention_period: 400
      include_cluster_resources_mode: never
`
}

async function ask(path: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(`${agent.url}${path}`, {
    ...init,
    headers: { Authorization: `Bearer ${SECRETS.token}` },
  })
  const text = await response.text()
  said.set(
    `${init.method ?? 'GET'} ${path} #${said.size}`,
    `${response.status} ${JSON.stringify([...response.headers])} ${text}`,
  )
  return text
}

async function run(...args: string[]): Promise<number> {
  const { code, stdout, stderr } = await runCommand(options, args)
  said.set(`palette-backup ${args.join(' ')} #${said.size}`, stdout + stderr)
  return code
}

/** Arguments and environment of all processes that the agent has started and that are still there. */
async function children(): Promise<{ pid: string; cmdline: string; environ: string }[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      const [, parent] = /^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
      if (Number(parent) !== agent.pid) return []
      const [cmdline, environ] = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'latin1'))
      return [{ pid, cmdline: cmdline ?? '', environ: environ ?? '' }]
    } catch {
      // It ended meanwhile.
      return []
    }
  })
}

const activeRuns = async () => JSON.parse(await ask('/runs')).active.length

/** Backups that ended, by how. */
async function ended(result: string): Promise<number> {
  return (await agent.metric(`palette_backup_runs_total{policy="nightly",result="${result}"}`)) ?? 0
}

describe('a secret is found nowhere', () => {
  it('in the arguments and the environment of a run process, nor in what a good backup leaves', async () => {
    mongodb.faults.delay('getMore', 300)
    mongodb.faults.delay('listCollections', 300)
    await ask('/backups?policy=nightly', { method: 'POST' })
    await until(
      'a run process',
      30_000,
      async () => (await children()).some(({ cmdline }) => cmdline.includes('run')),
      20,
    )
    const seen = (await children()).filter(({ cmdline }) => cmdline.includes('run'))
    expect(seen.length).toBeGreaterThan(0)
    for (const { pid, cmdline, environ } of seen) said.set(`process ${pid}`, cmdline + environ)
    expect(seen[0]?.environ).toContain('PATH=')
    await ask('/status')
    await until('the backup', 60_000, async () => (await ended('success')) === 1)
    mongodb.faults.clear()
    for (const [key, { bytes }] of s3.objects) said.set(`s3 ${key}`, `${key} ${bytes.toString('latin1')}`)
    for (const [path, { bytes }] of ftp.files) said.set(`ftp ${path}`, `${path} ${bytes.toString('latin1')}`)
    expect([...said.keys()].filter((name) => name.endsWith('.manifest.json'))).toHaveLength(2)
  })

  it('in the answers of the agent, whatever it is sent', async () => {
    const texts = [configuration(), configuration(SECRETS.wrong), configuration().replace('secret_key', 'secretkey')]
    texts.push(configuration().replace('secret_key:', 'region:'), configuration().slice(0, -200), SECRETS.wrong)
    texts.push(configuration().replace('credential_type: secret', `credential_type: ${SECRETS.wrong}`))
    for (const body of texts) {
      for (const path of ['/validate', '/plan']) await ask(path, { method: 'POST', body })
    }
    for (const path of ['/', '/status', '/metrics', '/runs', '/backups', '/validate?location=offsite', '/nothing']) {
      await ask(path)
    }
  })

  it('in what a wrong key, a wrong password or a broken file makes the agent say', async () => {
    await writeFile(options.configFile, configuration(SECRETS.wrong))
    await ask('/-/reload', { method: 'POST' })
    await writeFile(options.configFile, configuration().replace('secret_key', 'secret_kye'))
    await ask('/-/reload', { method: 'POST' })
    await writeFile(options.configFile, configuration().replace('secret_key', '\tsecret_key'))
    await ask('/-/reload', { method: 'POST' })
    await ask('/status')
    // Applied without having been used, so that it fails in the night.
    const unchecked = configuration(SECRETS.wrong).replaceAll(
      'storage_provider',
      'validate: false\n      storage_provider',
    )
    await writeFile(options.configFile, unchecked)
    await writeFile(join(folder, 'secrets/ftp_password'), SECRETS.wrong)
    expect(JSON.parse(await ask('/-/reload', { method: 'POST' })).outcome).toMatch(/applied|unchanged/)
    await ask('/backups?policy=nightly', { method: 'POST' })
    await until('the failed backup', 60_000, async () => (await ended('failed')) >= 1)
    for (const path of ['/status', '/metrics', '/runs']) await ask(path)
    expect(await activeRuns()).toBeGreaterThanOrEqual(0)
    await run('validate')
    await run('validate', '--json')
    await run('backup')
    await run('list')
    await writeFile(options.configFile, configuration())
    await writeFile(join(folder, 'secrets/ftp_password'), SECRETS.ftp)
    expect(JSON.parse(await ask('/-/reload', { method: 'POST' })).outcome).toMatch(/applied|unchanged/)
  })

  it('in what the commands print', async () => {
    const before = join(folder, 'before.yaml')
    await writeFile(before, configuration(SECRETS.wrong))
    expect(await run('plan', '--from', before)).toBe(0)
    expect(await run('plan', '--from', before, '--json')).toBe(0)
    const agentOptions = ['--agent', agent.url, '--token-file', join(folder, 'secrets/token')]
    await writeFile(options.configFile, configuration(SECRETS.wrong).replace('nightly', 'weekly'))
    expect(await run('plan', ...agentOptions)).toBe(0)
    expect([...said.values()].at(-1)).toMatch(
      /- backup_policy.nightly {2}\(stops; its stored backups \(1 in offsite, 1 in nas\) stay/,
    )
    expect([...said.values()].at(-1)).toContain('s3.secret_key            (sensitive) → (sensitive)')
    expect(await run('plan', ...agentOptions, '--json')).toBe(0)
    expect(await run('plan', '--agent', agent.url)).toBe(1)
    await writeFile(options.configFile, configuration())
    expect(await run('validate', '--offline', '--json')).toBe(0)
    expect(await run('show', 'latest', '--json')).toBe(0)
    expect(await run('list', '--json')).toBe(0)
    expect(await run('restore', 'latest', '--dry-run')).toBe(0)
    expect(await run('verify', 'latest', '--json')).toBe(0)
    mongodb.faults.fail('saslStart', { times: 20, code: 18, message: 'Authentication failed.' })
    await run('backup', '--json')
  })

  it('anywhere in all of that', async () => {
    expect(await agent.stop()).toBe(0)
    said.set('log', JSON.stringify(agent.log))
    expect(said.size).toBeGreaterThan(40)
    expect(said.get('log')).toContain('configuration refused')
    const found = [...said].flatMap(([where, text]) =>
      [...Object.entries(SECRETS)].filter(([, secret]) => holds(text, secret)).map(([name]) => `${name} in ${where}`),
    )
    expect(found).toEqual([])
  })

  it('and would be found', async () => {
    const file = await readFile(options.configFile, 'latin1')
    expect(holds(file, SECRETS.secretKey)).toBe(true)
    expect(holds(options.env['CANARY_URI'] ?? '', SECRETS.mongodb)).toBe(true)
    expect(holds(Buffer.from(`x${SECRETS.ftp}`).toString('base64'), SECRETS.ftp)).toBe(true)
  })
})

/** As it is, as JSON and addresses write it, and in base64 at any of the three places a text can begin. */
function holds(text: string, secret: string): boolean {
  const encoded = [0, 1, 2].map((shift) => {
    const base64 = Buffer.from(`${'x'.repeat(shift)}${secret}`).toString('base64')
    return base64.slice(shift === 0 ? 0 : 4, -4)
  })
  const json = JSON.stringify(secret).slice(1, -1)
  const forms = [secret, json, JSON.stringify(json).slice(1, -1), encodeURIComponent(secret), ...encoded]
  return forms.some((form) => text.includes(form))
}
