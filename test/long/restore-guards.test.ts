import { readFile, writeFile } from 'node:fs/promises'
import { MongoClient } from 'mongodb'
import { afterEach, describe, expect, it } from 'vitest'
import { RestoreWorld } from '../commands/restore-world.ts'
import { until } from '../support/until.ts'

const SMALL = { bytes: 200_000 }
const worlds: RestoreWorld[] = []

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world[Symbol.asyncDispose]()))
})

async function start(options: Parameters<typeof RestoreWorld.start>[0] = SMALL): Promise<RestoreWorld> {
  const world = await RestoreWorld.start(options)
  worlds.push(world)
  return world
}

async function fillTarget({ target }: RestoreWorld): Promise<void> {
  await using client = new MongoClient(target.uri)
  await client.db('hubbledb').collection<{ _id: string }>('precious').insertOne({ _id: 'before' })
}

async function rewriteManifest(world: RestoreWorld, from: string, to: string): Promise<void> {
  const [manifest = ''] = await world.stored('.manifest.json')
  const text = await readFile(manifest, 'utf8')
  expect(text).toContain(from)
  await writeFile(manifest, text.replace(from, to))
}

function writes(commands: readonly string[]): string[] {
  return commands.filter((name) => /insert|drop|create/.test(name))
}

describe('a restore that would lose data', { timeout: 120_000 }, () => {
  it('is not rolled back to what another server held, and a rollback can itself be undone', async () => {
    const world = await start()
    await fillTarget(world)
    const before = await world.contents(world.target.uri, ['hubbledb'])
    expect(await world.restore(['--yes'])).toMatchObject({ code: 0 })
    const restored = await world.contents(world.target.uri, ['hubbledb'])

    // The configuration's own MongoDB never had a safety backup: that of the other server must not go into it.
    const own = await world.run(['restore', '--rollback', '--yes'])
    expect(own).toMatchObject({ code: 1, stderr: expect.stringContaining('no location holds a safety backup of it') })
    expect(writes(world.source.commands)).toEqual([])

    const back = () => world.run(['restore', '--rollback', '--to-uri-env', 'TARGET_URI', '--yes'])
    expect(await back()).toMatchObject({ code: 0 })
    expect(await world.contents(world.target.uri, ['hubbledb'])).toEqual(before)
    expect(await back()).toMatchObject({ code: 0 })
    expect(await world.contents(world.target.uri, ['hubbledb'])).toEqual(restored)
  })

  it('is refused for a backup of another installation, and for one that names a database of the server', async () => {
    const world = await start()
    await rewriteManifest(world, '"cluster_name": "prod"', '"cluster_name": "staging"')
    const other = await world.restore(['--yes'])
    expect(other).toMatchObject({ code: 4, stderr: expect.stringContaining('a backup of staging, not of prod') })
    await rewriteManifest(world, '"cluster_name": "staging"', '"cluster_name": "prod"')
    await rewriteManifest(world, '"hubble_archivedb"', '"admin"')
    const admin = await world.restore(['--yes'])
    expect(admin).toMatchObject({ code: 1, stderr: expect.stringMatching(/artifacts\.0\.mongodb\.databases\.\d/) })
    expect(writes(world.target.commands)).toEqual([])
  })

  it('does not go into the installation by a second way, unless under another name', async () => {
    const world = await start()
    world.env['SAME_URI'] = `${world.source.uri}&appName=other`
    const same = await world.run(['restore', 'latest', '--to-uri-env', 'SAME_URI', '--yes'])
    expect(same).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('is the MongoDB of this installation itself'),
    })
    expect(writes(world.source.commands)).toEqual([])
    const check = ['--include', 'hubbledb', '--rename-database', 'hubbledb=hubbledb_check', '--yes']
    const renamed = await world.run(['restore', 'latest', '--to-uri-env', 'SAME_URI', ...check])
    expect(renamed.code, renamed.stderr).toBe(0)
  })

  it('waits its turn: one at a time into a server, and none while that server is backed up', async () => {
    const world = await start()
    await fillTarget(world)
    world.target.faults.stall('find')
    const first = world.restore(['--yes'])
    await until('the safety backup', 60_000, async () => world.target.commands.includes('find'))
    const second = await world.restore(['--yes'])
    expect(second).toMatchObject({ code: 4, stderr: expect.stringMatching(/a restore of \S+ is under way \(process/) })
    world.target.faults.clear()
    expect(await first).toMatchObject({ code: 0 })
    expect(await world.contents()).toEqual(await world.contents(world.source.uri))

    world.source.faults.stall('listIndexes')
    const backup = world.run(['backup'])
    await until('the backup', 60_000, async () => world.source.commands.at(-1) === 'listIndexes')
    const meanwhile = await world.run(['restore', 'latest', '--yes'])
    expect(meanwhile).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('a backup of policy nightly is under way'),
    })
    world.source.faults.clear()
    expect(await backup).toMatchObject({ code: 0 })
  })

  it('that broke off keeps its half-restored databases from being backed up as if they were whole', async () => {
    const world = await start()
    world.source.faults.fail('createIndexes', { code: 189, times: 2, message: 'stepping down' })
    const broken = await world.run(['restore', 'latest', '--yes'])
    // Indexes that an election has kept from being built are no problem of the server's to live with.
    expect(broken, broken.stdout).toMatchObject({ code: 1, stderr: expect.stringContaining('stepping down') })
    const backup = await world.run(['backup', '--json'])
    expect(backup.code).not.toBe(0)
    expect(backup.stdout).toContain('is not finished')
    expect(await world.stored('.manifest.json')).toHaveLength(2)
    const some = ['--include', 'hubbledb.u*', 'hubble_timeseriesdb', 'hubble_archivedb', '--yes']
    const part = await world.run(['restore', 'latest', ...some])
    expect(part, part.stdout).toMatchObject({ code: 4, stderr: expect.stringContaining('half done') })
    expect(await world.run(['restore', 'latest', '--yes'])).toMatchObject({ code: 0 })
    expect(await world.run(['backup'])).toMatchObject({ code: 0 })
  })

  it('leaves no collection without its options because an election came between', async () => {
    const world = await start()
    world.target.faults.fail('create', { nth: 2, code: 10107, message: 'not primary' })
    const broken = await world.restore(['--yes'])
    expect(broken, broken.stdout).toMatchObject({ code: 1, stderr: expect.stringContaining('not primary') })
    expect(await world.record()).toMatchObject({ stage: 'restoring' })
    expect(await world.restore(['--yes'])).toMatchObject({ code: 0 })
    expect(await world.contents()).toEqual(await world.contents(world.source.uri))
  })
})
