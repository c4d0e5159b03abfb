import { readFile, rename, writeFile } from 'node:fs/promises'
import { MongoClient } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { FILLED, ROLLBACK, start } from '../commands/killed-restores.ts'

describe('a restore', { timeout: 120_000 }, () => {
  it('into a database that is there already replaces it whole, and the safety backup brings it back', async () => {
    await using world = await start()
    await using client = new MongoClient(world.target.uri)
    await client.db('others').collection<{ _id: string }>('work').insertOne({ _id: 'of somebody else' })
    const before = await world.contents(world.target.uri, ['others', ...FILLED])
    const args = ['--include', 'hubbledb', '--rename-database', 'hubbledb=others']
    const restored = await world.restore(args)
    expect(restored.code, restored.stderr).toBe(0)
    expect(restored.stderr).toMatch(/drops +others \(1 collections, /)
    expect(restored.stderr).toContain('others are backed up to nas first')
    const now = await world.contents(world.target.uri, ['others'])
    const original = await world.contents(world.source.uri, ['hubbledb'])
    expect(now.map(({ name, ...rest }) => ({ ...rest, name: name.replace('others.', 'hubbledb.') }))).toEqual(original)
    expect(await world.contents(world.target.uri, FILLED)).toEqual(
      before.filter(({ name }) => !name.startsWith('others')),
    )
    expect(await world.run(ROLLBACK)).toMatchObject({ code: 0 })
    expect(await world.contents(world.target.uri, ['others', ...FILLED])).toEqual(before)

    const alike = await world.restore(['--include', 'hubbledb', '--rename-database', 'hubbledb=Others'])
    expect(alike).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('the target has others, and MongoDB takes'),
    })
    expect(await world.contents(world.target.uri, ['others', ...FILLED])).toEqual(before)
  })

  it('of a partial backup is made only when that is named, and says loudly what it is', async () => {
    await using world = await start()
    const [file = ''] = await world.stored('.manifest.json')
    const manifest = JSON.parse(await readFile(file, 'utf8'))
    const partial = { ...manifest, result: 'partial', warnings: ['the objects of the cluster could not be read'] }
    await writeFile(file, JSON.stringify(partial))
    await rename(file, file.replace('.manifest.json', '.partial.json'))
    expect(await world.restore()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no complete backup'),
    })
    const args = ['restore', manifest.backup_id, '--to-uri-env', 'TARGET_URI', '--no-safety-backup', '--yes']
    const restored = await world.run(args)
    expect(restored.code, restored.stderr).toBe(0)
    expect(restored.stderr).toContain('THE BACKUP IS PARTIAL')
    expect(restored.stderr).toContain('of the backup: the objects of the cluster could not be read')
    expect(await world.contents()).toEqual(await world.contents(world.source.uri))
  })
})
