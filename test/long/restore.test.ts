import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { afterEach, describe, expect, it } from 'vitest'
import { RestoreWorld } from '../commands/restore-world.ts'
import { until } from '../support/until.ts'

const worlds: RestoreWorld[] = []

afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world[Symbol.asyncDispose]()))
})

async function start(options: Parameters<typeof RestoreWorld.start>[0] = {}): Promise<RestoreWorld> {
  const world = await RestoreWorld.start(options)
  worlds.push(world)
  return world
}

/** What the target held before: one document that no backup of Palette has. */
async function fillTarget(uri: string): Promise<void> {
  await using client = new MongoClient(uri)
  await client.db('hubbledb').collection<{ _id: string }>('precious').insertOne({ _id: 'before' })
  await client.db('hubble_archivedb').collection<{ _id: string }>('precious').insertOne({ _id: 'before' })
}

describe('restore', { timeout: 120_000 }, () => {
  it('says what it will do, changes nothing until it is confirmed, and proves the target afterwards', async () => {
    const world = await start()
    await fillTarget(world.target.uri)
    const before = await world.contents()
    const dry = await world.restore(['--dry-run'])
    expect(dry.code, dry.stderr).toBe(0)
    expect(dry.stderr).toMatch(/drops {4}hubbledb \(1 collections/)
    expect(dry.stderr).toContain('hubble_archivedb, hubbledb are backed up to nas first')
    const refused = await world.restore([], 'yes\n')
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('nothing was changed') })
    expect(await world.contents()).toEqual(before)

    const restored = await world.restore()
    expect(restored.code, restored.stderr).toBe(0)
    expect(restored.stdout).toContain('the target was read back and is what the backup holds')
    const original = await world.contents(world.source.uri)
    expect(await world.contents()).toEqual(original)
    expect(await world.record()).toBeUndefined()
    // The safety backup is no backup of the policy: it must never be taken for the newest good one.
    const listed = JSON.parse((await world.run(['list', '--json'])).stdout)
    expect(listed.backups).toHaveLength(1)

    const back = await world.run(['restore', '--rollback', '--to-uri-env', 'TARGET_URI', '--yes'])
    expect(back.code, back.stderr).toBe(0)
    expect(await world.contents(world.target.uri, ['hubbledb', 'hubble_archivedb'])).toEqual(before)
  })

  it('puts single collections back, and databases under another name, and touches nothing else', async () => {
    const world = await start()
    await fillTarget(world.target.uri)
    const original = await world.contents(world.source.uri)
    const some = await world.restore(['--include', 'hubbledb.u*', '--no-safety-backup', '--yes'])
    expect(some.code, some.stderr).toBe(0)
    const wanted = original.filter(({ name }) => name.startsWith('hubbledb.u'))
    expect(wanted.length).toBeGreaterThan(0)
    const now = await world.contents(world.target.uri, ['hubbledb'])
    expect(now.filter(({ name }) => name !== 'hubbledb.precious')).toEqual(wanted)
    expect(now).toHaveLength(wanted.length + 1)

    const args = ['--include', 'hubbledb.*', '--rename-database', 'hubbledb=hubbledb_check', '--yes', '--json']
    const renamed = await world.restore(args)
    expect(renamed.code, renamed.stderr).toBe(0)
    const check = await world.contents(world.target.uri, ['hubbledb_check'])
    expect(check.map(({ name, ...facts }) => ({ ...facts, name: name.replace('_check', '') }))).toEqual(
      original.filter(({ name }) => name.startsWith('hubbledb.')),
    )
    expect(await world.contents(world.target.uri, ['hubbledb'])).toEqual(now)
  })

  it('finds what somebody wrote meanwhile', async () => {
    const world = await start()
    world.target.faults.delay('createIndexes', 300)
    const restoring = world.restore(['--yes'])
    await until('indexes', 60_000, async () => world.target.commands.includes('createIndexes'))
    await using client = new MongoClient(world.target.uri)
    const [first] = (await world.contents(world.source.uri)).filter(
      ({ type, name }) => type === 'collection' && !name.includes('system.'),
    )
    const [database = '', ...rest] = (first?.name ?? '').split('.')
    await client.db(database).collection(rest.join('.')).insertOne({ intruder: true })
    const restored = await restoring
    expect(restored).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('the target is not what the backup holds'),
    })
    expect(restored.stderr).toContain('--rollback')
    expect(await world.record()).toMatchObject({ stage: 'comparing' })
  })

  it('refuses an older server, a damaged artifact and a newer manifest before anything is touched', async () => {
    const world = await start({ target: { version: '5.0.9' } })
    const older = await world.restore()
    expect(older).toMatchObject({ code: 4, stderr: expect.stringContaining('the target is the older MongoDB 5.0.9') })
    const [artifact = ''] = await world.stored('.archive.zst')
    const bytes = await readFile(artifact)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    await writeFile(artifact, bytes)
    const damaged = await world.run(['restore', '--yes'])
    expect(damaged.code).toBe(1)
    expect(damaged.stderr).toContain('it is not restorable, nothing was changed')
    expect(damaged.stderr).toMatch(/mongodb\.archive\.zst in nas: zstd frame at byte 0: .*; affected: all collections/)
    const [manifest = ''] = await world.stored('.manifest.json')
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace('"format_version": 1', '"format_version": 2'))
    const newer = await world.run(['restore', '--yes'])
    expect(newer.stderr).toContain('it has format version 2, this program reads up to 1')
    expect(world.target.commands.filter((name) => /insert|drop|create/.test(name))).toEqual([])
    expect(world.source.commands.filter((name) => /insert|drop|create/.test(name))).toEqual([])
  })

  it('is proven beforehand by verify --level restore, which leaves nothing behind but the proof', async () => {
    const world = await start()
    const verify = () => world.run(['verify', 'latest', '--level', 'restore', '--to-uri-env', 'TARGET_URI'])
    const verified = await verify()
    expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
    expect(verified.stdout).toContain('compared document by document')
    await using client = new MongoClient(world.target.uri)
    const { databases } = await client.db('admin').admin().listDatabases()
    expect(databases.filter(({ name }) => name.includes('scratch'))).toEqual([])
    const [proof = ''] = await world.stored('.verified.json')
    expect(JSON.parse(await readFile(proof, 'utf8'))).toMatchObject({ level: 'restore' })
    const show = async () => JSON.parse((await world.run(['show', 'latest', '--json'])).stdout)
    expect((await show()).proofs).toMatchObject([{ location: 'nas', proof: { level: 'restore' }, damage: null }])
    const text = (await world.run(['show', 'latest'])).stdout
    expect(text).toMatch(/^proven +restore in nas \(\d{4}-.*Z, palette-backup /m)
    expect(text).toMatch(/^ +consistency +snapshot at \S+; read from \S+ to \S+$/m)
  })

  it('is not made from a backup that verify has found damaged, until verify has proven it again', async () => {
    const world = await start({ bytes: 200_000 })
    await world.run(['verify', 'latest'])
    const [artifact = ''] = await world.stored('.archive.zst')
    const whole = await readFile(artifact)
    await writeFile(artifact, whole.subarray(0, -100))
    const damaged = await world.run(['verify', 'latest', '--level', 'content'])
    expect(damaged).toMatchObject({ code: 1, stdout: expect.stringContaining('NOT RESTORABLE (stored)') })
    expect(await world.stored('.verified.json')).toEqual([])
    const { backups } = JSON.parse((await world.run(['list', '--json'])).stdout)
    expect(backups).toMatchObject([{ complete: true, damaged: true }])
    expect(await world.restore(['--yes'])).toMatchObject({ code: 1, stderr: expect.stringContaining('no complete') })
    const id: string = backups[0].backupId
    expect((await world.run(['show', id])).stdout).toMatch(/^proven +DAMAGED in nas \(stored, .*has \d+ bytes/m)
    await writeFile(artifact, whole)
    expect(await world.run(['verify', id])).toMatchObject({ code: 0 })
    expect(await world.stored('.damaged.json')).toEqual([])
    expect((await world.run(['list'])).stdout).toMatch(/complete +verified/)
  })

  it('opens an encrypted backup with the right identity only, from a file or the environment', async () => {
    const world = await start({ encrypted: true })
    const none = await world.restore()
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('no age identity was given') })
    const wrong = await world.restore(['--identity-file', join(world.folder, 'other.txt')])
    expect(wrong.stderr).toContain('none of the 1 age identities given opens it')
    const identity = join(world.folder, 'identity.txt')
    const right = await world.restore(['--identity-file', identity])
    expect(right.code, right.stderr).toBe(0)
    expect(await world.contents()).toEqual(await world.contents(world.source.uri))
    world.env['PALETTE_BACKUP_AGE_IDENTITY'] = await readFile(identity, 'utf8')
    const verified = await world.run(['verify', 'latest'])
    expect(verified, verified.stdout + verified.stderr).toMatchObject({ code: 0 })
  })
})
