import { Failure, throwIfAborted } from '../../core/errors.ts'
import type { CollectionFacts, Inspection, ReadOptions } from '../source.ts'
import type { ArchiveMetadata } from './archive/format.ts'
import { parseArchive } from './archive/parser.ts'

/** Collections that are named in a message; the rest is counted. */
const SHOWN = 5

/** A view has no documents of its own, and in an archive of mongodump no end either. */
const NO_DOCUMENTS = { documents: 0, bytes: 0, crc64: '0'.repeat(16), digest: `sip128:${'0'.repeat(32)}` }

export interface Survey {
  /** Of the server that the archive was made of. */
  readonly serverVersion: string
  readonly collections: readonly CollectionFacts[]
}

export async function inspectArchive(body: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<Inspection> {
  return { source: 'mongodb', collections: (await surveyArchive(body, options)).collections }
}

/** Reads an archive to its end, proves it, and says what it holds; of a damaged one, what the damage affects. */
export async function surveyArchive(
  body: AsyncIterable<Uint8Array>,
  { signal, onProgress }: ReadOptions,
): Promise<Survey> {
  const collections: CollectionFacts[] = []
  let serverVersion = ''
  let announced: readonly ArchiveMetadata[] = []
  let bytes = 0
  let documents = 0
  try {
    for await (const event of parseArchive(body)) {
      throwIfAborted(signal, 'reading the archive')
      if (event.type === 'prelude') {
        announced = event.metadata
        serverVersion = event.header.serverVersion
      } else if (event.type === 'documents') {
        bytes += event.bytes.length
        documents += event.count
        onProgress?.({ bytes, documents })
      } else {
        const { database, collection, type } = event.metadata
        collections.push({ database, collection, type, ...event.counted })
      }
    }
  } catch (thrown) {
    throw thrown instanceof Failure && thrown.code === 'damaged' ? affecting(thrown, announced, collections) : thrown
  }
  const told = new Set(collections.map(nameOf))
  for (const { database, collection, type } of announced) {
    const isToldNowhere = type === 'view' && !told.has(nameOf({ database, collection }))
    if (isToldNowhere) collections.push({ database, collection, type, ...NO_DOCUMENTS })
  }
  return { serverVersion, collections }
}

/** The same failure, with the collections that can no longer be told to be whole: the damaged one and those behind it. */
function affecting(
  failure: Failure,
  announced: readonly ArchiveMetadata[],
  whole: readonly CollectionFacts[],
): Failure {
  const proven = new Set(whole.map(nameOf))
  const lost = announced.filter((one) => one.type !== 'view' && !proven.has(nameOf(one))).map(nameOf)
  const named = `${lost.slice(0, SHOWN).join(', ')}${lost.length > SHOWN ? ` and ${lost.length - SHOWN} more` : ''}`
  const affected =
    announced.length === 0
      ? 'affected: all collections, because it is before their list'
      : `whole before that: ${whole.length} of ${announced.length} collections; affected: ${named || 'none'}`
  const { code, retryable, hint } = failure
  return new Failure(`${failure.message}; ${affected}`, {
    ...{ code, retryable, cause: failure },
    ...(hint === undefined ? {} : { hint }),
  })
}

function nameOf({ database, collection }: Pick<ArchiveMetadata, 'database' | 'collection'>): string {
  return `${database}.${collection}`
}
