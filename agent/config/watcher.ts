import { once } from 'node:events'
import { dirname } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import type { Clock } from '../core/clock.ts'
import { MIB } from '../core/units.ts'
import { readDigest } from './read-bounded.ts'

/** What is larger is refused anyway. */
const LARGEST_BYTES = MIB

/** After a change, the time within which more of the same change is waited for: editors write in several steps. */
const SETTLE_MS = 100

/** So often a look is put off by a file that goes on changing: in all, half a second. */
const MOST_ROUNDS = 4

/** Filesystems without change events (NFS, some overlays) are looked at so often. */
const POLL_MS = 15_000

export interface WatcherOptions {
  readonly clock: Clock
  /** Called when the content of one of the files may have changed; never twice at once. */
  readonly onChange: () => Promise<void>
  readonly pollMs?: number
}

/**
 * Watches files by the folders they stand in, so that files which are replaced, removed and put back, or reached
 * through the links of a Kubernetes volume, are still seen. What counts is the content.
 */
export class FileWatcher {
  readonly #options: WatcherOptions
  readonly #stop = new AbortController()
  /** Digest of each watched file's content, as it was last read or looked at. */
  #seen: ReadonlyMap<string, string> = new Map()
  #watcher: FSWatcher | undefined
  #work: Promise<void> | undefined
  #settling = false
  #polling: Promise<void> | undefined

  constructor(options: WatcherOptions) {
    this.#options = options
  }

  async start(files: ReadonlyMap<string, string>): Promise<void> {
    await this.watch(files)
    this.#polling = this.#poll()
  }

  /**
   * Watches these files instead, whose content is known by its digest: any other one is told, be it there already.
   * Of the others it goes on with what it knows.
   */
  async watch(files: ReadonlyMap<string, string>, others: Iterable<string> = []): Promise<void> {
    if (this.#stop.signal.aborted) return
    const known = foldersOf(this.#seen)
    const kept = [...others].map((file): [string, string] => [file, this.#seen.get(file) ?? ''])
    this.#seen = new Map([...kept, ...files])
    const folders = foldersOf(this.#seen)
    if (!this.#watcher || folders.size !== known.size || [...folders].some((folder) => !known.has(folder))) {
      await this.#watchFolders([...folders])
    }
    // What changed since it was read, and before it was watched, made no event.
    void this.#touched()
  }

  async #watchFolders(folders: readonly string[]): Promise<void> {
    const before = this.#watcher
    // Links are not followed: the swap of ..data, which replaces all files of a volume at once, is an event itself.
    const next = watch([...folders], { depth: 0, ignoreInitial: true, followSymlinks: false })
      .on('all', () => void this.#touched())
      // A folder that cannot be watched is still looked at every so often.
      .on('error', () => undefined)
    this.#watcher = next
    // Until then nothing would be seen; after an abort it never comes.
    await once(next, 'ready', { signal: this.#stop.signal }).catch(() => undefined)
    await before?.close()
  }

  /** Resolves when nothing is watched and nothing is being told any more. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#watcher?.close()
    await Promise.all([this.#work, this.#polling])
  }

  async #poll(): Promise<void> {
    const { clock, pollMs = POLL_MS } = this.#options
    while (await slept(clock, pollMs, this.#stop.signal)) await this.#touched()
  }

  /** However many events arrive while one is handled, they are one more look. */
  #touched(): Promise<void> {
    if (this.#settling) return this.#work ?? Promise.resolve()
    this.#settling = true
    this.#work = (this.#work ?? Promise.resolve()).then(() => this.#look())
    return this.#work
  }

  async #look(): Promise<void> {
    const { clock, onChange } = this.#options
    const goesOn = await slept(clock, SETTLE_MS, this.#stop.signal)
    this.#settling = false
    if (!goesOn) return
    const looked = this.#seen
    const now = await this.#settled(await contentDigests(looked))
    // Read anew meanwhile: what is watched now will be looked at again.
    if (looked !== this.#seen || isSame(now, looked)) return
    this.#seen = now
    await onChange()
  }

  /** Waits, within bounds, for a file that is still being written: half of one may be valid. */
  async #settled(first: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, string>> {
    let content = first
    for (let round = 0; round < MOST_ROUNDS && !isSame(content, this.#seen); round += 1) {
      if (!(await slept(this.#options.clock, SETTLE_MS, this.#stop.signal))) break
      const next = await contentDigests(content)
      if (isSame(next, content)) break
      content = next
    }
    return content
  }
}

async function slept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, { signal, unref: true })
    return true
  } catch {
    return false
  }
}

function isSame(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([file, digest]) => digest === other.get(file))
}

function foldersOf(files: ReadonlyMap<string, string>): Set<string> {
  return new Set([...files.keys()].map((file) => dirname(file)))
}

async function contentDigests(files: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const digests = new Map<string, string>()
  for (const file of files.keys()) digests.set(file, await readDigest(file, LARGEST_BYTES))
  return digests
}
