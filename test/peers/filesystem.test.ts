import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MIB } from '../../agent/core/units.ts'
import { openFilesystem } from '../../agent/locations/filesystem/filesystem-location.ts'
import { collect, errorOf, sliced, streamOf } from '../support/streams.ts'

const run = promisify(execFile)
const { signal } = new AbortController()

let path: string

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'palette-backup-mount-'))
  await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0755', 'tmpfs', path])
})
afterEach(async () => {
  await run('umount', [path]).catch(() => undefined)
  await rm(path, { recursive: true, force: true })
})

/** With real mounts, which takes root. */
describe('a mounted filesystem', () => {
  it('that is full keeps the old object, and nothing of the new one', async () => {
    const location = await openFilesystem(config())
    await location.put('key', streamOf(Buffer.from('the old one')), { signal })
    expect(await errorOf(location.put('key', sliced(randomBytes(20 * MIB), MIB), { signal }))).toMatchObject({
      name: 'Failure',
      code: 'no_space',
      retryable: false,
      message: expect.stringMatching(/^storing key in disk .*: the disk is full$/),
      hint: expect.stringContaining('retention_period'),
    })
    expect((await collect(location.get('key', { signal }))).toString()).toBe('the old one')
    expect(await readdir(path)).toEqual(['key'])
  })

  it('that is read-only can be read', async () => {
    const location = await openFilesystem(config())
    await location.put('key', streamOf(Buffer.from('x')), { signal })
    await run('mount', ['-o', 'remount,ro', path])
    const readOnly = await openFilesystem(config())
    expect(await readOnly.list('', { signal })).toHaveLength(1)
    const expected = { code: 'permission', message: expect.stringContaining('mounted read-only') }
    expect(await errorOf(readOnly.put('other', streamOf(Buffer.from('x')), { signal }))).toMatchObject(expected)
    expect(await errorOf(readOnly.delete('key', { signal }))).toMatchObject(expected)
  })

  it('that was unmounted in the middle of a run is no empty location', async () => {
    const location = await openFilesystem(config())
    await location.put('key', streamOf(Buffer.from('x')), { signal })
    await run('umount', [path])
    const expected = { code: 'unavailable', hint: expect.stringContaining('Mount the volume again') }
    expect(await errorOf(location.list('', { signal }))).toMatchObject(expected)
    expect(await errorOf(location.put('other', streamOf(Buffer.from('x')), { signal }))).toMatchObject(expected)
    expect(await readdir(path)).toEqual([])
  })

  it('that was unmounted before is told by its marker', async () => {
    await writeFile(join(path, '.volume'), '')
    const marked = { ...config(), marker: '.volume' }
    await (await openFilesystem(marked)).put('key', streamOf(Buffer.from('x')), { signal })
    await run('umount', [path])
    expect(await errorOf(openFilesystem(marked))).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('the volume is not mounted'),
    })
  })
})

function config() {
  return { name: 'disk', storageProvider: 'filesystem' as const, folder: '', validate: true, path }
}
