import { execFile } from 'node:child_process'
import { readFile, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RestoreWorld } from '../commands/restore-world.ts'

const run = promisify(execFile)

describe('an archive of mongodump', { timeout: 60_000 }, () => {
  let world: RestoreWorld
  let plain: string
  let packed: string

  beforeAll(async () => {
    world = await RestoreWorld.start({ allTypes: true })
    const [artifact = ''] = await world.stored('mongodb.archive.zst')
    const archive = zstdDecompressSync(await readFile(artifact))
    plain = join(world.folder, 'dump.archive')
    packed = join(world.folder, 'dump.archive.gz')
    await writeFile(plain, archive)
    await writeFile(packed, gzipSync(archive, { level: 1 }))
  })
  afterAll(() => world?.[Symbol.asyncDispose]())

  it('becomes a backup of its own time that is proven, kept and restored like any other', async () => {
    await utimes(packed, new Date(), new Date('2026-01-02T03:04:05Z'))
    const imported = await world.run(['import', packed, '--json'])
    expect(imported, imported.stderr).toMatchObject({ code: 0 })
    const { backupId, result, stored, unpinned } = JSON.parse(imported.stdout)
    expect({ backupId, result, stored, unpinned }).toEqual({
      backupId: expect.stringMatching(/^20260102T030405Z-/),
      result: 'success',
      stored: ['nas'],
      unpinned: [],
    })
    // It is older than retention keeps, and is kept.
    expect(await world.run(['prune'])).toMatchObject({ code: 0 })
    const { backups } = JSON.parse((await world.run(['list', '--json'])).stdout)
    expect(backups).toHaveLength(2)
    expect(backups).toContainEqual(expect.objectContaining({ backupId, pinned: true, complete: true }))
    const shown = JSON.parse((await world.run(['show', backupId, '--json'])).stdout)
    expect(shown.manifest).toMatchObject({ purpose: 'import', started_at: '2026-01-02T03:04:05.000Z' })
    const where = ['--to-uri-env', 'TARGET_URI', '--yes']
    const restored = await world.run(['restore', backupId, ...where])
    expect(restored, restored.stderr).toMatchObject({ code: 0 })
    expect(await world.contents()).toEqual(await world.contents(world.source.uri))
  })

  it('is not hidden by what it is not: the newest backup stays the newest', async () => {
    const imported = await world.run(['import', plain, '--taken-at', '2026-02-03T04:05:06Z', '--json'])
    expect(imported, imported.stderr).toMatchObject({ code: 0 })
    const latest = JSON.parse((await world.run(['show', 'latest', '--json'])).stdout)
    expect(latest.manifest.purpose).toBeUndefined()
  })

  it.each<[string, () => Promise<readonly string[]>, string]>([
    ['is not there', async () => ['/nowhere/dump.archive'], 'it is not there'],
    ['is a folder', async () => [world.folder], 'it is no file'],
    ['was made in the future', async () => [plain, '--taken-at', '2126-01-01T00:00:00Z'], 'has not come'],
    ['was made at no time', async () => [plain, '--taken-at', 'yesterday'], '--taken-at yesterday: expected a time'],
    ['goes where the policy does not write', async () => [plain, '--location', 'else'], 'does not write to else'],
    [
      'is no archive',
      async () => {
        const file = join(world.folder, 'text')
        await writeFile(file, 'version: 1\n')
        return [file]
      },
      'it does not begin like a mongodump archive',
    ],
    [
      'is packed',
      async () => {
        const file = join(world.folder, 'dump.archive.zst')
        await writeFile(file, zstdCompressSync(await readFile(plain)))
        return [file]
      },
      'dump.archive.zst: reading the archive at byte 4: it does not begin like a mongodump archive; affected: all collections, because it is before their list\n  It is packed with zstd. Unpack it first: zstd -d FILE',
    ],
    [
      'does not hold what the policy backs up',
      async () => {
        const text = await readFile(world.configFile, 'utf8')
        const wanted = 'retention_period: 14\n      include_databases: [hubbledb, elsewhere]'
        await writeFile(world.configFile, text.replace('retention_period: 14', wanted))
        return [plain]
      },
      'it holds no database named elsewhere',
    ],
    [
      'is cut',
      async () => {
        const file = join(world.folder, 'cut.archive')
        await run('cp', [plain, file])
        await truncate(file, 500_000)
        return [file]
      },
      'affected: ',
    ],
  ])('that %s is refused, and nothing is stored', async (_what, args, why) => {
    const before = await world.stored('')
    const refused = await world.run(['import', ...(await args())])
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain(why)
    const isNew = (name: string): boolean => !before.includes(name) && /manifest|archive/.test(name)
    expect((await world.stored('')).filter(isNew)).toEqual([])
  })
})
