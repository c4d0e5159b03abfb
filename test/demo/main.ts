import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { Installation } from './installation.ts'
import { check, say, summary, until } from './telling.ts'

/**
 * A stand-in installation and the real agent: a scheduled backup, an edit of the configuration, a proof, a loss and a
 * restore. Nothing that is printed is scripted: every line with a tick was asked of the running program.
 */
const { values } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, 'mongodb-uri': { type: 'string' } },
})
const root = new URL('../../', import.meta.url).pathname
const folder = await mkdtemp(join(tmpdir(), 'palette-backup-demo-'))
await using installation = await Installation.start(values['mongodb-uri'])
const configFile = join(folder, 'palette-backup.yaml')
await cp(join(root, 'config/demo.yaml'), configFile)
const options = { configFile, env: installation.env }
await using agent = await AgentProcess.start(options)

say(`MongoDB ${installation.mongodb}, S3 ${installation.s3Url}, FTP ${installation.ftpUrl}`)
say(`agent   ${agent.url}  (configuration: ${configFile})`)

say('\nWaiting for the schedule: a backup every minute ...')
const stored = await until('a backup in both locations', 90_000, async () => {
  const times = ['offsite', 'nas'].map(
    (location) => `palette_backup_last_success_timestamp_seconds{policy="every_minute",location="${location}"}`,
  )
  const values = await Promise.all(times.map((name) => agent.metric(name)))
  return values.every((value) => (value ?? 0) > 0)
})
check('a scheduled backup lies in S3 and on FTP', stored)

say('\nEditing the file: keep_minimum 3 -> 5 ...')
const digest = await agent.configDigest()
await writeFile(configFile, (await readFile(configFile, 'utf8')).replace('keep_minimum: 3', 'keep_minimum: 5'))
const editedAt = performance.now()
const applied = await until('the new configuration', 10_000, async () => (await agent.configDigest()) !== digest)
check(`the agent took it up after ${Math.round(performance.now() - editedAt)} ms, without a restart`, applied)

say('\nEditing it badly: "keep_minimun" ...')
const good = await readFile(configFile, 'utf8')
await writeFile(configFile, good.replace('keep_minimum', 'keep_minimun'))
const refused = await until(
  'the refusal',
  10_000,
  async () => (await agent.metric('palette_backup_config_last_reload_successful')) === 0,
)
check(
  'the agent refused it and goes on with the old one',
  refused && (await agent.metric('palette_backup_next_run_timestamp_seconds{policy="every_minute"}')) !== undefined,
)
say((await runCommand(options, ['validate', '--offline'])).stderr)
await writeFile(configFile, good)
await until(
  'the good file',
  10_000,
  async () => (await agent.metric('palette_backup_config_last_reload_successful')) === 1,
)

say('\n$ palette-backup list')
const list = await runCommand(options, ['list'])
say(list.stdout)
check(
  'list shows the backup in both locations',
  list.code === 0 && / offsite /.test(list.stdout) && / nas /.test(list.stdout),
)

say('$ palette-backup verify latest')
const verified = await runCommand(options, ['verify', 'latest'])
say(verified.stdout)
check(
  'verify reads it back from both and proves every document',
  verified.code === 0 && verified.stdout.split('verified (decode)').length === 3,
)

say('Dropping database hubbledb ...')
const before = await installation.digest('hubbledb')
await installation.drop('hubbledb')
check('hubbledb is gone', (await installation.digest('hubbledb')).documents === 0)
say('$ palette-backup restore latest --include hubbledb --yes')
const restored = await runCommand(options, ['restore', 'latest', '--include', 'hubbledb', '--yes'])
say(restored.stderr + restored.stdout)
const after = await installation.digest('hubbledb')
check(
  `all ${before.documents} documents are back, byte for byte`,
  restored.code === 0 && after.documents === before.documents && after.sha256 === before.sha256,
)

const age = await agent.metric('palette_backup_last_success_age_seconds{policy="every_minute",location="offsite"}')
check(
  `/metrics says the newest good backup in S3 is ${age?.toFixed(0)} s old`,
  age !== undefined && age >= 0 && age < 120,
)

const failed = summary()
if (values.keep) {
  say(`\nStill running (--keep). Metrics: ${agent.url}/metrics  Status: ${agent.url}/status  Stop with Ctrl-C.`)
  await new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve))
}
await agent[Symbol.asyncDispose]()
await installation[Symbol.asyncDispose]()
await rm(folder, { recursive: true })
process.exit(failed === 0 ? 0 : 1)
