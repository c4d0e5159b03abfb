import type { CallOptions, Location, ReplayableBody } from './location.ts'
import { isReplayable } from './location.ts'

export type Operation = 'put' | 'get' | 'list' | 'delete' | 'stat' | 'discard'

/** What a decorator does around each operation of a location; what it leaves out is passed through. */
export interface Around {
  /** Runs an operation that ends with its promise. */
  readonly call?: <T>(operation: Operation, options: CallOptions, run: () => Promise<T>) => Promise<T>
  /** Bytes on their way to the location. */
  readonly sending?: (body: AsyncIterable<Uint8Array>, options: CallOptions) => AsyncIterable<Uint8Array>
  /** Bytes on their way from the location; iterated once, its end is the end of the operation. */
  readonly receiving?: (body: AsyncIterable<Uint8Array>, options: CallOptions) => AsyncIterable<Uint8Array>
}

/** The same location with something around its operations. A body that can be read again stays one. */
export function around(location: Location, { call = plainly, sending, receiving }: Around): Location {
  return {
    name: location.name,
    put(key, body, options) {
      const sent = sending ? likeFirst(body, () => sending(body, options)) : body
      return call('put', options, () => location.put(key, sent, options))
    },
    get(key, options) {
      const body = location.get(key, options)
      return receiving ? receiving(body, options) : body
    },
    list: (prefix, options) => call('list', options, () => location.list(prefix, options)),
    delete: (key, options) => call('delete', options, () => location.delete(key, options)),
    stat: (key, options) => call('stat', options, () => location.stat(key, options)),
    discard: (leftover, options) => call('discard', options, () => location.discard(leftover, options)),
    ...(location.facts ? { facts: () => location.facts?.() ?? [] } : {}),
    close: () => location.close(),
  }
}

function plainly<T>(_operation: Operation, _options: CallOptions, run: () => Promise<T>): Promise<T> {
  return run()
}

function likeFirst(first: AsyncIterable<Uint8Array>, open: () => AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const iterator = (): AsyncIterator<Uint8Array> => open()[Symbol.asyncIterator]()
  if (!isReplayable(first)) return { [Symbol.asyncIterator]: iterator }
  const again: ReplayableBody = { replayable: true, [Symbol.asyncIterator]: iterator }
  return again
}
