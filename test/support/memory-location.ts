import { Failure } from '../../agent/core/errors.ts'
import type { Entry, Leftover, ListOptions, Location } from '../../agent/locations/location.ts'
import { collect } from './streams.ts'

type Operation = 'put' | 'get' | 'list' | 'delete' | 'stat' | 'discard'

/** A location in memory with faults: for what a run does around a location, not for what a location does. */
export class MemoryLocation implements Location {
  readonly name: string
  readonly objects = new Map<string, Buffer>()
  readonly discarded: Leftover[] = []
  /** Called before each operation; may throw, and for `get` may be used to damage an object. */
  fault: (operation: Operation, key: string) => void = () => undefined
  closed = false

  constructor(name: string) {
    this.name = name
  }

  get keys(): string[] {
    return [...this.objects.keys()].sort()
  }

  async put(key: string, body: AsyncIterable<Uint8Array>, options: Parameters<Location['put']>[2]) {
    options.signal.throwIfAborted()
    if (!key.endsWith('.json')) await options.onLeftover?.({ key, handle: `${key}.tmp` })
    this.fault('put', key)
    const bytes = await collect(body)
    options.signal.throwIfAborted()
    this.objects.set(key, bytes)
    return { sizeBytes: bytes.length }
  }

  async *get(key: string, { offset = 0 }: Parameters<Location['get']>[1]): AsyncGenerator<Uint8Array> {
    this.fault('get', key)
    const bytes = this.objects.get(key)
    if (!bytes) throw new Failure(`reading ${key} in ${this.name}: it is not there`, { code: 'not_found' })
    for (let at = offset; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
  }

  async list(prefix: string, { temporaries }: Partial<ListOptions> = {}): Promise<Entry[]> {
    this.fault('list', prefix)
    if (temporaries) return []
    return this.keys
      .filter((key) => key.startsWith(prefix))
      .map((key) => ({ key, sizeBytes: this.objects.get(key)?.length ?? 0 }))
  }

  async delete(key: string): Promise<void> {
    this.fault('delete', key)
    this.objects.delete(key)
  }

  async stat(key: string): Promise<Entry | undefined> {
    this.fault('stat', key)
    const bytes = this.objects.get(key)
    return bytes && { key, sizeBytes: bytes.length }
  }

  async discard(leftover: Leftover): Promise<void> {
    this.fault('discard', leftover.key)
    this.discarded.push(leftover)
  }

  async close(): Promise<void> {
    this.closed = true
  }
}
