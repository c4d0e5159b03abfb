import { randomBytes } from 'node:crypto'
import { Failure } from '../../agent/core/errors.ts'
import type { Source } from '../../agent/sources/source.ts'

export interface FakeSourceOptions {
  /** Of 200,000 bytes each. Default: 40. */
  readonly chunks?: number
  readonly failAfterChunks?: number
  readonly onChunk?: (index: number) => unknown
}

/** A source of random chunks that counts how often it was read. */
export function fakeSource({
  chunks = 40,
  failAfterChunks,
  onChunk,
}: FakeSourceOptions = {}): Source & { reads: number } {
  const source = {
    name: 'mongodb' as const,
    reads: 0,
    async *read({ signal }: Parameters<Source['read']>[0]) {
      source.reads += 1
      yield { name: 'mongodb.archive', body: body(signal), facts, warnings: () => [] }
    },
    restore: () => Promise.reject(new Error('not played')),
    inspect: () => Promise.reject(new Error('not played')),
  }
  async function* body(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < chunks; index += 1) {
      if (index === failAfterChunks) throw new Failure('reading: the source broke', { code: 'unavailable' })
      await onChunk?.(index)
      signal.throwIfAborted()
      yield randomBytes(200_000)
    }
  }
  return source
}

function facts() {
  return {
    source: 'mongodb' as const,
    serverVersion: '7.0.1',
    consistency: {
      level: 'snapshot' as const,
      at: '2026-11-24T02:00:00Z',
      from: '2026-11-24T02:00:00Z',
      to: '2026-11-24T02:00:01Z',
    },
    databases: ['hubbledb'],
    collections: [],
  }
}
