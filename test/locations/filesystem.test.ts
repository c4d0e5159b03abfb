import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openFilesystem } from '../../agent/locations/filesystem/filesystem-location.ts'
import type { Location } from '../../agent/locations/location.ts'
import { locationConformance } from '../conformance/location.ts'
import { collect, errorOf, streamOf } from '../support/streams.ts'

locationConformance('filesystem', async () => {
  const path = await mkdtemp(join(tmpdir(), 'palette-backup-fs-'))
  return {
    location: await openFilesystem(config(path)),
    cleanUp: () => rm(path, { recursive: true }),
    hidden: async () => (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.tmp')),
  }
})

it('never leaves its folder through a link', async () => {
  const path = await mkdtemp(join(tmpdir(), 'palette-backup-fs-'))
  await mkdir(join(path, 'outside'))
  await mkdir(join(path, 'inside'))
  await symlink(join(path, 'outside'), join(path, 'inside', 'link'))
  const location = await openFilesystem({ ...config(path), path: join(path, 'inside') })
  const { signal } = new AbortController()
  expect(await errorOf(location.put('link/x', streamOf(Buffer.from('x')), { signal }))).toMatchObject({
    code: 'refused',
  })
  expect(await errorOf(location.put('link/deep/er/x', streamOf(Buffer.from('x')), { signal }))).toMatchObject({
    code: 'refused',
  })
  expect(await readdir(join(path, 'outside'))).toEqual([])
  expect(await location.list('', { signal })).toEqual([])
  await writeFile(join(path, 'outside', 'secret'), 'of somebody else')
  await symlink(join(path, 'outside', 'secret'), join(path, 'inside', 'file'))
  for (const key of ['link/secret', 'file']) {
    expect(await errorOf(collect(location.get(key, { signal })))).toMatchObject({ code: 'refused' })
  }
  expect(await errorOf(location.delete('link/secret', { signal }))).toMatchObject({ code: 'refused' })
  expect(await errorOf(location.stat('link/secret', { signal }))).toMatchObject({ code: 'refused' })
  expect(await errorOf(location.list('link/', { signal }))).toMatchObject({ code: 'refused' })
  const leftover = { key: 'link/x', handle: 'link/secret.0123abcd.tmp' }
  expect(await errorOf(location.discard(leftover, { signal }))).toMatchObject({ code: 'refused' })
  expect(await location.stat('file', { signal })).toBeUndefined()
  expect(await readdir(join(path, 'outside'))).toEqual(['secret'])
  await rm(path, { recursive: true })
})

it('says that the folder is missing instead of making it: an unmounted volume must not be filled', async () => {
  const error = await errorOf(openFilesystem(config('/nowhere/at/all')))
  expect(error).toMatchObject({ code: 'not_found', message: 'opening disk (/nowhere/at/all): it is not there' })
})

it('knows an empty mount point by the marker that is missing, and writes nothing there', async () => {
  const path = await mkdtemp(join(tmpdir(), 'palette-backup-fs-'))
  const marked = { ...config(path), folder: 'prod', marker: '.palette-backup-volume' }
  expect(await errorOf(openFilesystem(marked))).toMatchObject({
    code: 'unavailable',
    message: `opening disk (${path}): the marker .palette-backup-volume is not there: the volume is not mounted`,
    hint: expect.stringContaining(`touch ${path}/.palette-backup-volume`),
  })
  expect(await readdir(path)).toEqual([])
  await writeFile(join(path, '.palette-backup-volume'), '')
  const location = await openFilesystem(marked)
  const { signal } = new AbortController()
  await location.put('key', streamOf(Buffer.from('x')), { signal })
  await rm(join(path, '.palette-backup-volume'))
  await everythingFails(location, 'the volume is not mounted')
  await rm(path, { recursive: true })
})

it('notices that another folder took the place of its own in the middle of a put', async () => {
  const path = await mkdtemp(join(tmpdir(), 'palette-backup-fs-'))
  const location = await openFilesystem({ ...config(path), folder: 'prod' })
  const { signal } = new AbortController()
  async function* body() {
    yield Buffer.from('first half')
    await rename(join(path, 'prod'), join(path, 'away'))
    await mkdir(join(path, 'prod'))
    yield Buffer.from('second half')
  }
  expect(await errorOf(location.put('key', body(), { signal }))).toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('a volume was mounted or unmounted meanwhile'),
  })
  await everythingFails(location, 'a volume was mounted or unmounted meanwhile')
  expect(await readdir(join(path, 'prod'))).toEqual([])
  await rm(path, { recursive: true })
})

async function everythingFails(location: Location, reason: string): Promise<void> {
  const { signal } = new AbortController()
  const expected = { name: 'Failure', code: 'unavailable', message: expect.stringContaining(reason) }
  expect(await errorOf(location.put('key', streamOf(Buffer.from('x')), { signal }))).toMatchObject(expected)
  expect(await errorOf(location.list('', { signal }))).toMatchObject(expected)
  expect(await errorOf(location.stat('key', { signal }))).toMatchObject(expected)
  expect(await errorOf(location.delete('key', { signal }))).toMatchObject(expected)
  expect(await errorOf(collect(location.get('key', { signal })))).toMatchObject(expected)
}

function config(path: string) {
  return { name: 'disk', storageProvider: 'filesystem' as const, folder: '', validate: true, path }
}
