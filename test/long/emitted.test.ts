import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startMongodb } from '../support/mongodb/server.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const COMPILER = join(ROOT, 'node_modules/typescript-native/bin/tsc')

let folder: string
let main: string

/** The program as `npm run build` emits it, where it finds what the image gives it: package.json and node_modules. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'palette-backup-dist-'))
  await run(process.execPath, [COMPILER, '-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')], { cwd: ROOT })
  for (const name of ['package.json', 'node_modules']) await symlink(join(ROOT, name), join(folder, name))
  main = join(folder, 'dist', 'main.js')
}, 60_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

it('is JavaScript only, and imports JavaScript only', async () => {
  const files = (await readdir(join(folder, 'dist'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  expect(files.length).toBeGreaterThan(100)
  for (const file of files) {
    expect(file).toMatch(/\.js$/)
    expect(await readFile(file, 'utf8')).not.toMatch(/(?:from|import\() ?'\.[^']*\.ts'/)
  }
})

it('begins with the line that makes it a program', async () => {
  expect(await readFile(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
})

it('knows its version, and the configuration', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  expect((await run(process.execPath, [main, '--version'])).stdout).toBe(`${version}\n`)
  expect(JSON.parse((await run(process.execPath, [main, 'schema'])).stdout).properties).toHaveProperty('resource')
})

it('runs as an agent whose run processes are emitted JavaScript too', async () => {
  await using mongodb = await startMongodb()
  const client = new MongoClient(mongodb.uri)
  await client.db('hubbledb').collection<{ _id: number }>('projects').insertOne({ _id: 1 })
  await client.close()
  await mkdir(join(folder, 'disk'))
  const config = join(folder, 'palette-backup.yaml')
  await writeFile(config, configuration(mongodb.uri))
  const log = join(folder, 'agent.log')
  const args = [main, 'agent', '--port', '0', '--config', config]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', openSync(log, 'w')] })
  const exited = once(child, 'exit')
  try {
    let port: number | undefined
    await until('the agent to listen', 15_000, async () => {
      port = Number(/"port":(\d+),"msg":"listening"/.exec(await readFile(log, 'utf8'))?.[1])
      return port > 0
    })
    const url = `http://127.0.0.1:${port}`
    expect((await fetch(`${url}/backups?policy=nightly`, { method: 'POST' })).status).toBe(202)
    await until('the backup', 15_000, async () => {
      const text = await (await fetch(`${url}/metrics`)).text()
      return text.includes('palette_backup_runs_total{policy="nightly",result="success"} 1')
    })
  } finally {
    child.kill('SIGTERM')
    await exited
  }
  expect(child.exitCode).toBe(0)
})

function configuration(uri: string): string {
  return `version: 1
provider: { palette: { cluster_name: prod, mongodb: { uri: "${uri}" } } }
resource:
  backup_storage_location:
    disk: { storage_provider: filesystem, filesystem: { path: ${join(folder, 'disk')} } }
  backup_policy:
    nightly:
      { backup_locations: [disk], include_databases: [hubbledb], schedule: "0 2 * * *", retention_period: 14, allow_cleartext: true }
`
}
