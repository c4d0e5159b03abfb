import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { AgentProcess, runCommand } from '../support/agent-process.ts'
import { paletteCollections } from '../support/mongodb/palette-data.ts'
import { seedStore } from '../support/mongodb/palette-load.ts'
import { type MongodbDouble, startMongodb } from '../support/mongodb/server.ts'
import { until } from '../support/until.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

let folder: string
let file: string
let mongodb: MongodbDouble
let agent: AgentProcess

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hot-reload-'))
  for (const name of ['etc', 'elsewhere', 'nas', 'other']) await mkdir(join(folder, name))
  mongodb = await startMongodb()
  seedStore(mongodb.store, paletteCollections({ bytes: 200_000 }))
  // No event of the folder that is watched tells of a change behind the link: only what a test asks for happens.
  file = join(folder, 'elsewhere/real.yaml')
  await writeFile(file, configuration())
  const configFile = join(folder, 'etc/palette-backup.yaml')
  await symlink('../elsewhere/real.yaml', configFile)
  agent = await AgentProcess.start({ configFile, env: { MONGODB_URI: mongodb.uri } })
})

afterAll(async () => {
  await agent?.stop()
  await mongodb.stop()
  await rm(folder, { recursive: true })
})

interface Changes {
  readonly policy?: string
  readonly folder?: string
  readonly keep?: number
}

function configuration({ policy = 'nightly', folder: below = 'nas', keep = 3 }: Changes = {}): string {
  return `version: 1
provider: { palette: { cluster_name: lab, mongodb: { uri: { $env: MONGODB_URI } } } }
resource:
  backup_storage_location:
    nas: { storage_provider: filesystem, validate: false, filesystem: { path: ${join(folder, below)} } }
  backup_policy:
    ${policy}:
      backup_locations: [nas]
      schedule: "0 2 1 1 *"
      retention_period: 400
      keep_minimum: ${keep}
      include_cluster_resources_mode: never
      catch_up: false
      allow_cleartext: true
`
}

const broken = () => configuration().replace('keep_minimum', 'keep_minimun')

async function post(path: string): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(`${agent.url}${path}`, { method: 'POST' })
  return { status: response.status, json: JSON.parse(await response.text()) }
}

const reloads = async (result: 'applied' | 'refused') =>
  (await agent.metric(`palette_backup_config_reloads_total{result="${result}"}`)) ?? 0

const logged = (msg: string) => agent.log.filter((line) => line['msg'] === msg)

describe('a running agent', () => {
  it('takes up a change on SIGHUP', async () => {
    await writeFile(file, configuration({ keep: 4 }))
    process.kill(agent.pid, 'SIGHUP')
    await until('the change', 60_000, async () => (await reloads('applied')) === 2)
    expect(logged('configuration applied').at(-1)).toMatchObject({ changes: ['~ backup_policy.nightly'] })
  })

  it('takes up a change on POST /-/reload, and says what it was', async () => {
    await writeFile(file, configuration({ keep: 5 }))
    expect(await post('/-/reload')).toMatchObject({
      status: 200,
      json: { outcome: 'applied', diagnostics: [], changes: ['~ backup_policy.nightly'] },
    })
    expect(await post('/-/reload')).toMatchObject({ status: 200, json: { outcome: 'unchanged' } })
  })

  it('refuses a broken file, in status, log and metric, changes nothing, and takes the next good one', async () => {
    const digest = await agent.configDigest()
    const applied = await reloads('applied')
    await writeFile(file, broken())
    const refusal = { outcome: 'refused', diagnostics: [{ summary: 'Unsupported attribute', range: { line: 11 } }] }
    expect(await post('/-/reload')).toMatchObject({ status: 422, json: refusal })
    expect(await agent.status()).toMatchObject({ configuration: { digest, lastReload: refusal } })
    expect(await agent.metric('palette_backup_config_last_reload_successful')).toBe(0)
    expect(logged('configuration refused')).toMatchObject([{ level: 'error', inForce: digest }])
    expect(logged('configuration error')).toMatchObject([{ summary: 'Unsupported attribute', line: 11 }])
    expect(await reloads('applied')).toBe(applied)

    await writeFile(file, configuration({ keep: 6 }))
    expect((await post('/-/reload')).json['outcome']).toBe('applied')
    expect(await agent.metric('palette_backup_config_last_reload_successful')).toBe(1)
    expect(await reloads('refused')).toBe(1)
  })

  it('says that all is well again when what it refused is taken back', async () => {
    const before = configuration({ keep: 6 })
    await writeFile(file, broken())
    await post('/-/reload')
    await writeFile(file, before)
    expect((await post('/-/reload')).json['outcome']).toBe('unchanged')
    await post('/-/reload')
    expect(logged('configuration is again the one in force')).toMatchObject([
      { level: 'info', digest: await agent.configDigest() },
    ])
    expect(await agent.metric('palette_backup_config_last_reload_successful')).toBe(1)
  })

  it('is asked for the plan of another file, and says what is wrong in that one', async () => {
    const other = join(folder, 'other.yaml')
    const options = { configFile: other, env: { MONGODB_URI: mongodb.uri } }
    await writeFile(other, configuration({ policy: 'weekly', folder: 'other' }))
    const planned = await runCommand(options, ['plan', '--agent', agent.url])
    expect(planned).toMatchObject({ code: 0, stderr: '' })
    expect(planned.stdout).toContain(`filesystem.path          "${join(folder, 'nas')}" → "${join(folder, 'other')}"`)
    expect(planned.stdout).toMatch(
      /\+ backup_policy.weekly {2}\(starts; first backup .*\)\n {2}- backup_policy.nightly {2}\(stops; /,
    )
    await writeFile(other, broken())
    const refused = await runCommand(options, ['plan', '--agent', agent.url])
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(`on ${other} line 11, in resource.backup_policy.nightly.keep_minimun:`)
    await writeFile(other, configuration().replace('      allow_cleartext: true\n', ''))
    const warned = await runCommand(options, ['plan', '--from', file])
    expect(warned.code).toBe(0)
    expect(warned.stderr).toContain('Warning: Backups stored without encryption')
  })

  it('lets a run that is under way keep what it began with', async () => {
    mongodb.faults.delay('listCollections', 200)
    const { json } = await post('/backups?policy=nightly')
    await writeFile(file, configuration({ policy: 'weekly', folder: 'other' }))
    const { json: report } = await post('/-/reload')
    expect(report['changes']).toEqual([
      '~ backup_storage_location.nas',
      '+ backup_policy.weekly',
      '- backup_policy.nightly',
    ])
    expect(await agent.status()).toMatchObject({
      runs: { active: expect.arrayContaining([expect.objectContaining({ runId: json['runId'] })]) },
    })
    expect((await post('/backups?policy=nightly')).status).toBe(404)
    const ended = async () => logged('run finished').find((line) => line['run'] === json['runId'])
    await until('the run', 60_000, async () => (await ended()) !== undefined)
    mongodb.faults.clear()
    expect(await ended()).toMatchObject({ result: 'success', policy: 'nightly' })
    expect((await readdir(join(folder, 'nas/lab/nightly'))).some((name) => name.endsWith('.manifest.json'))).toBe(true)
    expect(await readdir(join(folder, 'other'))).not.toContain('lab')
  })
})
