import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * A folder as the kubelet writes it for a ConfigMap or a Secret: files are links through `..data`, which is a link to a
 * folder with a time in its name; a change is one rename of that link. (AtomicWriter in kubernetes/pkg/volume/util.)
 */
export class ConfigVolume {
  readonly #folder: string
  #count = 0
  #current: string | undefined

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async create(folder: string, files: Readonly<Record<string, string>>): Promise<ConfigVolume> {
    await mkdir(folder, { recursive: true })
    const volume = new ConfigVolume(folder)
    await volume.update(files)
    for (const name of Object.keys(files)) await symlink(join('..data', name), join(folder, name))
    return volume
  }

  path(name: string): string {
    return join(this.#folder, name)
  }

  /** Replaces the content of all files at once. */
  async update(files: Readonly<Record<string, string>>): Promise<void> {
    this.#count += 1
    const next = `..2026_11_25_02_00_${String(this.#count).padStart(2, '0')}.123456789`
    await mkdir(join(this.#folder, next))
    for (const [name, content] of Object.entries(files)) await writeFile(join(this.#folder, next, name), content)
    await symlink(next, join(this.#folder, '..data_tmp'))
    await rename(join(this.#folder, '..data_tmp'), join(this.#folder, '..data'))
    if (this.#current !== undefined) await rm(join(this.#folder, this.#current), { recursive: true })
    this.#current = next
  }
}
