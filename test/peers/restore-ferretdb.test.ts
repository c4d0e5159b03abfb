import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { RestoreWorld } from '../commands/restore-world.ts'
import { contentsOf } from '../support/contents.ts'
import { type Backend, startFerretDb } from './servers/ferretdb.ts'
import { peerBinary, peersMissing } from './servers/peer.ts'

const run = promisify(execFile)

const BACKENDS: readonly Backend[] = ['SQLite', 'PostgreSQL']

/** A server that is not ours, and that tells less about itself than MongoDB does. */
describe.skipIf(peersMissing('ferretdb', 'postgres', 'initdb', 'mongodump'))('restore and verify on FerretDB', () => {
  it.each(BACKENDS)('restores into %s, proves what it restored, and rolls back', async (backend) => {
    await using target = await startFerretDb({ backend })
    await using world = await RestoreWorld.start()
    world.env['TARGET_URI'] = target.uri
    const names = ['hubbledb', 'hubble_archivedb', 'hubble_timeseriesdb']
    const wanted = ['--include', 'hubbledb', 'hubble_archivedb']
    const verified = await world.run(['verify', 'latest', '--level', 'decode'])
    expect(verified.code, verified.stderr).toBe(0)

    const first = await world.restore(wanted)
    expect(first.stderr).not.toContain('Error')
    expect(first.stdout).toContain('the target was read back and is what the backup holds')
    const documents = async (uri: string) =>
      (await contentsOf(uri, names.slice(0, 2)))
        .filter(({ type }) => type === 'collection')
        .map(({ name, documents, digest }) => ({ name, documents, digest }))
    expect(await documents(target.uri)).toEqual(await documents(world.source.uri))

    const second = await world.restore(wanted)
    expect(second.stdout, second.stderr).toContain('safety backup')
    const back = await world.run(['restore', '--rollback', '--to-uri-env', 'TARGET_URI', '--yes'])
    expect(back.stdout, back.stderr).toContain('the target was read back')
    expect(await documents(target.uri)).toEqual(await documents(world.source.uri))
  })

  it.each(BACKENDS)('backs %s up, and proves the backup in scratch databases there', async (backend) => {
    await using server = await startFerretDb({ backend })
    await using world = await RestoreWorld.start({ bytes: 200_000 })
    world.env['MONGODB_URI'] = server.uri
    await using client = new MongoClient(server.uri)
    for (const name of ['hubbledb', 'hubble_timeseriesdb']) {
      const users = client.db(name).collection<{ _id: number; text: string }>('users')
      await users.insertMany(Array.from({ length: 500 }, (_, _id) => ({ _id, text: `user ${_id}` })))
      await users.createIndex({ text: 1 }, { unique: true })
    }
    const before = await contentsOf(server.uri, ['hubbledb', 'hubble_timeseriesdb'])
    const made = await world.run(['backup', '--json'])
    expect(made.code, made.stdout + made.stderr).toBe(0)
    const id: string = JSON.parse(made.stdout).backupId
    const verified = await world.run(['verify', id, '--level', 'restore'])
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
    expect(verified.stdout).toContain('compared document by document, and dropped again; 1000 documents')
    const [proof = ''] = await world.stored(`${id}.verified.json`)
    expect(JSON.parse(await readFile(proof, 'utf8'))).toMatchObject({ level: 'restore' })
    const { databases } = await client.db('admin').admin().listDatabases()
    expect(databases.map(({ name }) => name).filter((name) => name.startsWith('palette_backup'))).toEqual([])
    expect(await contentsOf(server.uri, ['hubbledb', 'hubble_timeseriesdb'])).toEqual(before)
  })

  it('imports what stock mongodump has packed, and restores it', async () => {
    await using target = await startFerretDb()
    await using world = await RestoreWorld.start()
    const dump = join(world.folder, 'dump.gz')
    await run(peerBinary('mongodump'), ['--quiet', '--uri', world.source.uri, `--archive=${dump}`, '--gzip'])
    const imported = await world.run(['import', dump, '--json'])
    expect(imported, imported.stderr).toMatchObject({ code: 0 })
    world.env['TARGET_URI'] = target.uri
    const id: string = JSON.parse(imported.stdout).backupId
    const wanted = ['--include', 'hubbledb', 'hubble_archivedb']
    const restored = await world.run(['restore', id, '--to-uri-env', 'TARGET_URI', '--yes', ...wanted])
    expect(restored, restored.stderr).toMatchObject({ code: 0 })
    const documents = async (uri: string) =>
      (await contentsOf(uri, ['hubbledb', 'hubble_archivedb']))
        .filter(({ type }) => type === 'collection')
        .map((one) => [one.name, one.documents, one.digest])
    expect(await documents(target.uri)).toEqual(await documents(world.source.uri))
  })

  it('says nothing against a backup that holds what a server does not take', async () => {
    await using target = await startFerretDb()
    await using world = await RestoreWorld.start({ bytes: 200_000 })
    await using source = new MongoClient(world.source.uri)
    await source.db('hubbledb').collection('users').createIndex({ seen: 1 }, { expireAfterSeconds: 60, name: 'ttl' })
    const made = await world.run(['backup', '--json'])
    const id: string = JSON.parse(made.stdout).backupId
    world.env['TARGET_URI'] = target.uri
    const tried = await world.run(['verify', id, '--level', 'restore', '--to-uri-env', 'TARGET_URI'])
    expect(tried).toMatchObject({ code: 1, stdout: expect.stringContaining('could not be proven (restore)') })
    expect(tried.stdout).toMatch(/does not take all of it: .*building index ttl of palette_backup_scratch_\w+\.users/)
    expect(await world.stored('.damaged.json')).toEqual([])
    await using client = new MongoClient(target.uri)
    const { databases } = await client.db('admin').admin().listDatabases()
    expect(databases.map(({ name }) => name).filter((name) => name.startsWith('palette_backup'))).toEqual([])
  })
})
