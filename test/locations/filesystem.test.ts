import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openFilesystem } from '../../agent/locations/filesystem/filesystem-location.ts'
import { locationConformance } from '../conformance/location.ts'
import { errorOf, streamOf } from '../support/streams.ts'

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
  expect(await readdir(join(path, 'outside'))).toEqual([])
  expect(await location.list('', { signal })).toEqual([])
  await rm(path, { recursive: true })
})

it('says that the folder is missing instead of making it: an unmounted volume must not be filled', async () => {
  const error = await errorOf(openFilesystem(config('/nowhere/at/all')))
  expect(error).toMatchObject({ code: 'not_found', message: 'opening disk (/nowhere/at/all): it is not there' })
})

function config(path: string) {
  return { name: 'disk', storageProvider: 'filesystem' as const, folder: '', validate: true, path }
}
