import type { BigIntStats } from 'node:fs'
import { access, type FileHandle, open, realpath, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { Failure } from '../../core/errors.ts'
import { checkDirectory, deepestExisting, isMissing, makeFolders, whileMissing } from './folders.ts'

export interface RootOptions {
  /** Absolute; must exist. */
  readonly path: string
  /** Below `path`; made where it is absent. */
  readonly folder: string
  readonly marker?: string
}

/**
 * The folder that a location is, and the two ways in which it stops being that: a link that leads out of it, and a
 * volume that is no longer mounted, whose empty mount point looks like a location without backups and takes new ones.
 */
export class Root {
  readonly path: string
  readonly #mountPoint: string
  readonly #marker: string | undefined
  readonly #identity: BigIntStats

  private constructor(path: string, { path: mountPoint, marker }: RootOptions, identity: BigIntStats) {
    this.path = path
    this.#mountPoint = mountPoint
    this.#marker = marker
    this.#identity = identity
  }

  static async open(options: RootOptions): Promise<Root> {
    await checkDirectory(options.path)
    if (options.marker !== undefined) await checkMarker(options.path, options.marker)
    const folder = join(options.path, options.folder)
    await whileMissing(folder, undefined, () => makeFolders(options.path, options.folder))
    const path = await realpath(folder)
    return new Root(path, options, await stat(path, { bigint: true }))
  }

  /** Rejects when something else is there than when it was opened. */
  async check(): Promise<void> {
    if (this.#marker !== undefined) await checkMarker(this.#mountPoint, this.#marker)
    const found = await stat(this.path, { bigint: true }).catch((cause: unknown) => {
      if (isMissing(cause)) return undefined
      throw cause
    })
    if (found?.dev === this.#identity.dev && found.ino === this.#identity.ino) return
    throw gone('the folder is not the one that was opened: a volume was mounted or unmounted meanwhile')
  }

  /** The folder that holds `path`, made where it is absent, flushed, and inside the root. */
  async makeParent(path: string, signal: AbortSignal): Promise<void> {
    await whileMissing(path, signal, () => this.#makeParent(path))
  }

  /** A new file in a folder that `makeParent` made, and that is made again where it was removed meanwhile. */
  async create(path: string, signal: AbortSignal): Promise<FileHandle> {
    return await whileMissing(path, signal, async (attempt) => {
      if (attempt > 1) await this.#makeParent(path)
      return await open(path, 'wx', 0o640)
    })
  }

  async #makeParent(path: string): Promise<void> {
    await this.check()
    const parent = dirname(path)
    // Looked at first: a link on the way must not have folders made behind it.
    await this.stayInside(await deepestExisting(parent))
    await makeFolders(this.path, relative(this.path, parent))
    await this.stayInside(parent)
  }

  /** False where it is not there; rejects where links lead out of the root. */
  async holds(folder: string): Promise<boolean> {
    try {
      await this.stayInside(folder)
      return true
    } catch (cause) {
      if (isMissing(cause)) return false
      throw cause
    }
  }

  async stayInside(path: string): Promise<void> {
    const real = await realpath(path)
    if (real === this.path || real.startsWith(`${this.path}${sep}`)) return
    throw new Failure(`it leads out of ${this.path} through a link`, { code: 'refused' })
  }
}

async function checkMarker(mountPoint: string, marker: string): Promise<void> {
  try {
    await access(join(mountPoint, marker))
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    throw gone(`the marker ${marker} is not there: the volume is not mounted`, join(mountPoint, marker))
  }
}

function gone(reason: string, marker?: string): Failure {
  const first = marker === undefined ? '' : ` If this is its first use, make the file: touch ${marker}`
  return new Failure(reason, { code: 'unavailable', hint: `Mount the volume again.${first}` })
}
