import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

let version = 0

/**
 * Fills a folder as the kubelet mounts a ConfigMap or Secret: each file is a link through `..data`, itself a link, which
 * is swapped whole when the object has changed. Keys that are gone stay as broken links.
 */
export async function mountAsKubelet(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  version += 1
  const data = `..2026_11_24_${version}`
  await mkdir(join(folder, data), { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, data, name), text)
  await symlink(data, join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  for (const name of Object.keys(files)) {
    await symlink(`..data/${name}`, join(folder, name)).catch((thrown: unknown) => {
      if (Object(thrown).code !== 'EEXIST') throw thrown
    })
  }
}
