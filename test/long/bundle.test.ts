import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LICENCES_FILE } from '../../tools/build/third-party-licences.ts'
import { bundle } from '../support/bundle.ts'
import { startMongodb } from '../support/mongodb/server.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
/** Import and export statements, imports on demand, and what CommonJS became. */
const WANTED =
  /^(?:import|export)\b.*? from "([^"]+)";$|^import "([^"]+)";$|^(?!\s*[*/]).*\bimport\("([^"]+)"\)|\b__require\("([^"]+)"\)/gm

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

let folder: string
let main: string

/** The program as `npm run build` makes it, in a folder that has no packages: what it needs, it carries. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'palette-backup-dist-'))
  main = await bundle(folder)
}, 60_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

it('is a few files, which want nothing but each other, Node.js and what the driver can do without', async () => {
  const names = await readdir(join(folder, 'dist'))
  const files = names.filter((name) => name !== LICENCES_FILE)
  expect(files.length).toBeLessThan(100)
  expect(files.filter((name) => !name.endsWith('.js'))).toEqual([])
  const driver = JSON.parse(await readFile(join(ROOT, 'node_modules/mongodb/package.json'), 'utf8'))
  const known = new Set([...builtinModules, ...Object.keys(driver.peerDependenciesMeta)])
  const wanted = new Set<string>()
  for (const file of files) {
    const text = await readFile(join(folder, 'dist', file), 'utf8')
    for (const [, ...groups] of text.matchAll(WANTED)) for (const name of groups) if (name) wanted.add(name)
  }
  // Both ways of asking are seen.
  expect(wanted).toContain('node:crypto')
  expect(wanted).toContain('kerberos')
  const missing = [...wanted].filter((name) => !known.has(name.replace(/^node:/, '')) && !files.includes(name.slice(2)))
  expect(missing).toEqual([])
})

it('hands on the licences of what it carries', async () => {
  const text = await readFile(join(folder, 'dist', LICENCES_FILE), 'utf8')
  const { dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+$`, 'm'))
})

it('begins with the line that makes it a program', async () => {
  expect(await readFile(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
})

it('knows its version, and the configuration', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  expect((await run(process.execPath, [main, '--version'])).stdout).toBe(`${version}\n`)
  expect(JSON.parse((await run(process.execPath, [main, 'schema'])).stdout).properties).toHaveProperty('resource')
})

it('runs as an agent whose run processes are of the bundle too', async () => {
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
