import { mkdir, mkdtemp, open, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openFilesystem } from '../../agent/locations/filesystem/filesystem-location.ts'
import { whileMissing } from '../../agent/locations/filesystem/folders.ts'
import { collect, errorOf, streamOf } from '../support/streams.ts'

const { signal } = new AbortController()

let path: string

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'palette-backup-fs-'))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(path, { recursive: true })
})

/** /proc answers ENOENT to whoever makes something in it, whoever he is. */
describe.runIf(process.platform === 'linux')('a directory that is there and holds nothing', () => {
  const expected = {
    name: 'Failure',
    code: 'unsupported',
    retryable: false,
    message: expect.stringContaining('/proc is there, but nothing can be made in it'),
    hint: expect.stringContaining('Is it a real volume?'),
  }

  it('is told instead of being asked for ever, for objects in it and in folders of it', async () => {
    const location = await openFilesystem({ ...config(), path: '/proc' })
    for (const key of ['key', 'folder/key', 'folder/deep/er/key']) {
      const error = await errorOf(location.put(key, streamOf(Buffer.from('x')), { signal }))
      expect(error).toMatchObject(expected)
      expect(error).toMatchObject({ message: expect.stringContaining(`storing ${key} in disk (/proc): `) })
    }
  })

  it('is told when it is opened, where the location has a folder', async () => {
    const error = await errorOf(openFilesystem({ ...config(), path: '/proc', folder: 'prod' }))
    expect(error).toMatchObject(expected)
  })
})

describe('a folder that somebody removes while it is empty', () => {
  it('is made again', async () => {
    const location = await openFilesystem(config())
    const onLeftover = (): Promise<void> => rm(join(path, 'cluster'), { recursive: true })
    await location.put('cluster/nightly/key', streamOf(Buffer.from('x')), { signal, onLeftover })
    expect((await collect(location.get('cluster/nightly/key', { signal }))).toString()).toBe('x')
  })

  it('is made again a few times at most', async () => {
    const task = vi.fn(() => open(join(path, 'gone', 'file'), 'wx'))
    expect(await errorOf(whileMissing(join(path, 'gone', 'file'), signal, task))).toMatchObject({
      code: 'unsupported',
      message: `${path} is there, but nothing can be made in it (ENOENT, 3 times over)`,
    })
    expect(task.mock.calls).toEqual([[1], [2], [3]])
  })

  it('is not made again after an abort', async () => {
    const stop = new AbortController()
    const task = vi.fn(() => {
      stop.abort()
      return open(join(path, 'gone', 'file'), 'wx')
    })
    const error = await errorOf(whileMissing(join(path, 'gone', 'file'), stop.signal, task))
    expect(error).toMatchObject({ code: 'cancelled' })
    expect(task).toHaveBeenCalledTimes(1)
  })

  it('is not made where the volume is gone with it', async () => {
    const location = await openFilesystem({ ...config(), folder: 'prod' })
    const onLeftover = (): Promise<void> => rm(join(path, 'prod'), { recursive: true })
    const error = await errorOf(location.put('key', streamOf(Buffer.from('x')), { signal, onLeftover }))
    expect(error).toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('not the one that was opened'),
    })
    expect(await readdir(path)).toEqual([])
  })
})

it('ends where the filesystem takes no byte and names no error', async () => {
  const handle = await open(join(path, 'any'), 'w')
  const writing = vi.spyOn(Object.getPrototypeOf(handle), 'write').mockImplementation(async () => {
    // Not at once: the test itself must get its turn to fail.
    await nextTurn()
    return { bytesWritten: 0 }
  })
  await handle.close()
  const location = await openFilesystem({ ...config(), folder: 'prod' })
  const stored = location.put('key', streamOf(Buffer.from('x')), { signal: AbortSignal.timeout(2000) })
  expect(await errorOf(stored)).toMatchObject({
    code: 'no_space',
    message: `storing key in disk (${path}/prod): the filesystem takes no more bytes`,
  })
  expect(writing).toHaveBeenCalledTimes(1)
  expect(await readdir(join(path, 'prod'))).toEqual([])
})

describe('what is no directory', () => {
  const hint = 'Write the absolute path of an existing directory into filesystem.path.'

  it('is told where filesystem.path is a file, or leads through one', async () => {
    const file = join(path, 'afile')
    await writeFile(file, 'of somebody else')
    const withMarker = { ...config(), path: file, marker: '.volume' }
    for (const settings of [{ ...config(), path: file }, { ...config(), path: file, folder: 'prod' }, withMarker]) {
      expect(await errorOf(openFilesystem(settings))).toMatchObject({
        code: 'config',
        message: `opening disk (${file}): it is a file, not a directory`,
        hint,
      })
    }
    for (const below of [`${file}/x`, `${file}/x/y`]) {
      expect(await errorOf(openFilesystem({ ...config(), path: below }))).toMatchObject({
        code: 'config',
        message: `opening disk (${below}): ${file} is a file, not a directory`,
        hint,
      })
    }
    expect(await readFile(file, 'utf8')).toBe('of somebody else')
  })

  it.runIf(process.platform === 'linux')('is told where filesystem.path is a device', async () => {
    expect(await errorOf(openFilesystem({ ...config(), path: '/dev/full' }))).toMatchObject({
      code: 'config',
      message: 'opening disk (/dev/full): it is a device, not a directory',
      hint,
    })
  })

  it('is told where a link of that name leads nowhere, or in a circle', async () => {
    await symlink(join(path, 'nowhere'), join(path, 'dangling'))
    await symlink(join(path, 'circle'), join(path, 'circle'))
    expect(await errorOf(openFilesystem({ ...config(), path: join(path, 'dangling') }))).toMatchObject({
      code: 'not_found',
      message: `opening disk (${path}/dangling): it is a link to what is not there`,
      hint: expect.stringMatching(/^Mount the volume, or write .* into filesystem\.path\.$/),
    })
    expect(await errorOf(openFilesystem({ ...config(), path: join(path, 'circle') }))).toMatchObject({
      code: 'config',
      message: `opening disk (${path}/circle): it is a link that leads in a circle`,
      hint,
    })
    expect(await readdir(path)).toEqual(['circle', 'dangling'])
  })

  it('is told where it stands in the way of a folder', async () => {
    await writeFile(join(path, 'afile'), 'of somebody else')
    await symlink(join(path, 'nowhere'), join(path, 'dangling'))
    const moving = expect.stringContaining('Move it out of the way')
    for (const folder of ['afile', 'afile/prod']) {
      expect(await errorOf(openFilesystem({ ...config(), folder }))).toMatchObject({
        code: 'not_found',
        message: `opening disk (${path}): ${path}/afile is a file, not a directory`,
        hint: moving,
      })
    }
    const location = await openFilesystem(config())
    for (const [name, kind] of [
      ['afile', 'a file'],
      ['dangling', 'a link to what is not there'],
    ] as const) {
      const error = await errorOf(location.put(`${name}/deep/key`, streamOf(Buffer.from('x')), { signal }))
      expect(error).toMatchObject({
        code: 'not_found',
        message: `storing ${name}/deep/key in disk (${path}): ${path}/${name} is ${kind}, not a directory`,
        hint: moving,
      })
    }
    expect(await readdir(path)).toEqual(['afile', 'dangling'])
  })
})

describe('links that the operator named', () => {
  it('are followed: the path may be one, the folder too, and either stays where it led when it was opened', async () => {
    for (const name of ['volume', 'other', 'another']) await mkdir(join(path, name))
    await symlink(join(path, 'volume'), join(path, 'path'))
    await symlink(join(path, 'other'), join(path, 'volume', 'folder'))
    const plain = await openFilesystem({ ...config(), path: join(path, 'path') })
    const inFolder = await openFilesystem({ ...config(), path: join(path, 'path'), folder: 'folder' })
    await rm(join(path, 'path'))
    await symlink(join(path, 'another'), join(path, 'path'))
    await plain.put('cluster/key', streamOf(Buffer.from('through the path')), { signal })
    await inFolder.put('key', streamOf(Buffer.from('through the folder')), { signal })
    expect(await readFile(join(path, 'volume', 'cluster', 'key'), 'utf8')).toBe('through the path')
    expect(await readFile(join(path, 'other', 'key'), 'utf8')).toBe('through the folder')
    expect(await readdir(join(path, 'another'))).toEqual([])
    expect(await plain.list('', { signal })).toMatchObject([{ key: 'cluster/key' }])
  })
})

function config() {
  return { name: 'disk', storageProvider: 'filesystem' as const, folder: '', validate: true, path }
}
