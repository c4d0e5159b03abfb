import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import type { Clock } from '../core/clock.ts'
import { MIB } from '../core/units.ts'
import { readBounded } from './read-bounded.ts'

/** What is larger is refused anyway. */
const LARGEST_BYTES = MIB

/** After a change, the time within which more of the same change is waited for: editors write in several steps. */
const SETTLE_MS = 100

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
  /** Digest of each watched file's content at the last look; undefined before the first. */
  #seen: ReadonlyMap<string, string | undefined> = new Map()
  #watcher: FSWatcher | undefined
  #work: Promise<void> | undefined
  #settling = false
  #polling: Promise<void> | undefined

  constructor(options: WatcherOptions) {
    this.#options = options
  }

  async start(files: readonly string[]): Promise<void> {
    await this.watch(files)
    this.#polling = this.#poll()
  }

  /** Watches these files instead. What is new among them is told once: it may have changed since it was last read. */
  async watch(files: readonly string[]): Promise<void> {
    if (this.#stop.signal.aborted) return
    const known = foldersOf([...this.#seen.keys()])
    const folders = foldersOf(files)
    const before = this.#watcher
    const isNew = files.some((file) => !this.#seen.has(file))
    this.#seen = new Map(files.map((file) => [file, this.#seen.get(file)]))
    if (!before || folders.size !== known.size || [...folders].some((folder) => !known.has(folder))) {
      // Links are not followed: the swap of ..data, which replaces all files of a volume at once, is an event itself.
      this.#watcher = watch([...folders], { depth: 0, ignoreInitial: true, followSymlinks: false })
        .on('all', () => void this.#touched())
        // A folder that cannot be watched is still looked at every so often.
        .on('error', () => undefined)
      await before?.close()
    }
    if (isNew) void this.#touched()
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
    const content = await contentDigests([...this.#seen.keys()])
    if ([...content].every(([file, digest]) => digest === this.#seen.get(file))) return
    this.#seen = new Map([...this.#seen.keys()].map((file) => [file, content.get(file)]))
    await onChange()
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

function foldersOf(files: readonly string[]): Set<string> {
  return new Set(files.map((file) => dirname(file)))
}

/** A file that cannot be read has a content, too: none. */
async function contentDigests(files: readonly string[]): Promise<Map<string, string>> {
  const digests = new Map<string, string>()
  for (const file of files) {
    const content = await readBounded(file, LARGEST_BYTES).catch(() => undefined)
    digests.set(file, content ? createHash('sha256').update(content).digest('hex') : 'none')
  }
  return digests
}
