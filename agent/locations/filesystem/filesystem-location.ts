import { constants } from 'node:fs'
import { type FileHandle, lstat, open, opendir, rename, rm } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { FilesystemLocationConfig } from '../../config/config.ts'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import { abortable } from '../abortable.ts'
import { checkKey, checkPrefix } from '../key.ts'
import type { CallOptions, Entry, GetOptions, Leftover, ListOptions, Location, PutOptions } from '../location.ts'
import { isTemporary, temporaryKey } from '../location.ts'
import { filesystemFailure } from './classify.ts'
import { isMissing } from './folders.ts'
import { Root } from './root.ts'
import { syncFolder } from './sync.ts'

const READ_BYTES = 256 * 1024
const NO_MORE_BYTES = { code: 'no_space', hint: 'Make room, or shorten retention_period.' } as const

/** Objects as files below a folder of this machine: a mounted volume, NFS, a disk. */
export async function openFilesystem(config: FilesystemLocationConfig): Promise<Location> {
  try {
    return new FilesystemLocation(config.name, await Root.open(config))
  } catch (cause) {
    throw filesystemFailure(cause, `opening ${config.name} (${config.path})`)
  }
}

class FilesystemLocation implements Location {
  readonly name: string
  readonly #root: Root

  constructor(name: string, root: Root) {
    this.name = name
    this.#root = root
  }

  put(key: string, body: AsyncIterable<Uint8Array>, options: PutOptions): Promise<{ sizeBytes: number }> {
    return this.#doing(`storing ${key}`, options, async () => {
      checkKey(key)
      const path = this.#path(key)
      const temporary = temporaryKey(path)
      await this.#root.makeParent(path, options.signal)
      await options.onLeftover?.({ key, handle: relative(this.#root.path, temporary) })
      throwIfAborted(options.signal, `storing ${key}`)
      const file = await this.#root.create(temporary, options.signal)
      try {
        const sizeBytes = await writeWhole(file, body, options.signal)
        await this.#root.check()
        await rename(temporary, path)
        await syncFolder(dirname(path))
        return { sizeBytes }
      } catch (thrown) {
        await rm(temporary, { force: true }).catch(() => undefined)
        throw thrown
      }
    })
  }

  async *get(key: string, options: GetOptions): AsyncGenerator<Uint8Array> {
    const doing = `reading ${key}`
    let file: FileHandle | undefined
    try {
      checkKey(key)
      throwIfAborted(options.signal, doing)
      await this.#root.check()
      const path = this.#path(key)
      await this.#root.holds(dirname(path))
      // The name itself must be no link either.
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      for (let position = options.offset ?? 0; ; ) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, position)
        throwIfAborted(options.signal, doing)
        if (bytesRead === 0) return
        position += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    } catch (cause) {
      throw this.#failure(doing, cause)
    } finally {
      await file?.close()
    }
  }

  list(prefix: string, options: ListOptions): Promise<Entry[]> {
    return this.#doing(`listing ${prefix}`, options, async () => {
      checkPrefix(prefix)
      const entries: Entry[] = []
      await this.#root.check()
      const folder = this.#path(prefix)
      if (await this.#root.holds(folder)) await this.#walk(folder, entries, options)
      return entries.sort((a, b) => (a.key < b.key ? -1 : 1))
    })
  }

  delete(key: string, options: CallOptions): Promise<void> {
    return this.#doing(`deleting ${key}`, options, async () => {
      checkKey(key)
      await this.#remove(this.#path(key))
    })
  }

  stat(key: string, options: CallOptions): Promise<Entry | undefined> {
    return this.#doing(`looking at ${key}`, options, async () => {
      checkKey(key)
      await this.#root.check()
      const path = this.#path(key)
      try {
        if (!(await this.#root.holds(dirname(path)))) return undefined
        const found = await lstat(path)
        return found.isFile() ? { key, sizeBytes: found.size, modified: found.mtime } : undefined
      } catch (cause) {
        if (isMissing(cause)) return undefined
        throw cause
      }
    })
  }

  discard({ key, handle }: Leftover, options: CallOptions): Promise<void> {
    return this.#doing(`cleaning up ${key}`, options, async () => {
      checkKey(handle)
      if (!isTemporary(handle)) throw new Failure(`${handle} is no temporary file of ours`, { code: 'internal' })
      await this.#remove(this.#path(handle))
    })
  }

  async close(): Promise<void> {
    // Nothing is held open between calls.
  }

  #path(key: string): string {
    return join(this.#root.path, key)
  }

  #keyOf(path: string): string {
    return relative(this.#root.path, path).split(sep).join('/')
  }

  async #remove(path: string): Promise<void> {
    await this.#root.check()
    if (!(await this.#root.holds(dirname(path)))) return
    await rm(path, { force: true })
    await syncFolder(dirname(path)).catch((cause) => {
      if (!isMissing(cause)) throw cause
    })
  }

  async #walk(folder: string, entries: Entry[], options: ListOptions): Promise<void> {
    const { signal, shallow = false, enter = () => true, temporaries = false } = options
    const folders: string[] = []
    const directory = await opendir(folder).catch((cause) => {
      if (isMissing(cause)) return undefined
      throw cause
    })
    if (!directory) return
    for await (const found of directory) {
      throwIfAborted(signal, 'listing')
      const path = join(folder, found.name)
      // Links are not followed: they could leave the root, or lead in a circle.
      if (found.isDirectory()) {
        if (!shallow) folders.push(path)
      } else if (found.isFile() && isTemporary(found.name) === temporaries) await this.#add(path, entries)
    }
    for (const path of folders) if (enter(`${this.#keyOf(path)}/`, entries)) await this.#walk(path, entries, options)
  }

  async #add(path: string, entries: Entry[]): Promise<void> {
    try {
      const { size, mtime } = await lstat(path)
      entries.push({ key: this.#keyOf(path), sizeBytes: size, modified: mtime })
    } catch (cause) {
      // Deleted by somebody while it was being listed.
      if (!isMissing(cause)) throw cause
    }
  }

  async #doing<T>(doing: string, { signal }: CallOptions, task: () => Promise<T>): Promise<T> {
    try {
      throwIfAborted(signal, doing)
      return await task()
    } catch (cause) {
      throw this.#failure(doing, cause)
    }
  }

  #failure(doing: string, cause: unknown): Failure {
    return filesystemFailure(cause, `${doing} in ${this.name} (${this.#root.path})`)
  }
}

/** Writes and flushes; what `rename` makes visible must be on the disk by then. */
async function writeWhole(opened: FileHandle, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
  await using file = opened
  let written = 0
  for await (const chunk of abortable(body, signal)) {
    for (let start = 0; start < chunk.length; ) {
      throwIfAborted(signal, 'writing')
      const { bytesWritten } = await file.write(chunk, start)
      // It may take a part; one that takes nothing and names no error would be asked for ever.
      if (bytesWritten === 0) throw new Failure('the filesystem takes no more bytes', NO_MORE_BYTES)
      start += bytesWritten
    }
    written += chunk.length
  }
  throwIfAborted(signal, 'writing')
  await file.sync()
  const { size } = await file.stat()
  if (size === written) return size
  throw new Failure(`the file has ${size} bytes, ${written} were written`, { code: 'damaged' })
}
