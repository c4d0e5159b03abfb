import { throwIfAborted } from '../../core/errors.ts'
import type { CollectionFacts, Inspection, ReadOptions } from '../source.ts'
import { parseArchive } from './archive/parser.ts'

/** Reads an archive to its end, proves it, and says what it holds. */
export async function inspectArchive(
  body: AsyncIterable<Uint8Array>,
  { signal, onProgress }: ReadOptions,
): Promise<Inspection> {
  const collections: CollectionFacts[] = []
  let bytes = 0
  let documents = 0
  for await (const event of parseArchive(body)) {
    throwIfAborted(signal, 'reading the archive')
    if (event.type === 'documents') {
      bytes += event.bytes.length
      documents += event.count
      onProgress?.({ bytes, documents })
    } else if (event.type === 'end') {
      const { database, collection, type } = event.metadata
      collections.push({ database, collection, type, ...event.counted })
    }
  }
  return { source: 'mongodb', collections }
}
