import type { Location } from './location.ts'
import { isReplayable } from './location.ts'
import type { Retry } from './retry.ts'

/**
 * Repeats what failed for a reason that may pass. A put is repeated only when its body can be read again, a get only
 * before its first byte: everything else has effects that a second try would double.
 */
export function retrying(location: Location, retry: Retry): Location {
  return {
    name: location.name,
    put: (key, body, options) =>
      isReplayable(body)
        ? retry(() => location.put(key, body, options), options.signal)
        : location.put(key, body, options),
    async *get(key, options) {
      const open = async (): Promise<Opened> => {
        const iterator = location.get(key, options)[Symbol.asyncIterator]()
        return { iterator, first: await iterator.next() }
      }
      const { iterator, first } = await retry(open, options.signal)
      try {
        for (let next = first; !next.done; next = await iterator.next()) yield next.value
      } finally {
        await iterator.return?.()
      }
    },
    list: (prefix, options) => retry(() => location.list(prefix, options), options.signal),
    delete: (key, options) => retry(() => location.delete(key, options), options.signal),
    stat: (key, options) => retry(() => location.stat(key, options), options.signal),
    discard: (leftover, options) => retry(() => location.discard(leftover, options), options.signal),
    ...(location.facts ? { facts: () => location.facts?.() ?? [] } : {}),
    close: () => location.close(),
  }
}

interface Opened {
  readonly iterator: AsyncIterator<Uint8Array>
  readonly first: IteratorResult<Uint8Array>
}
