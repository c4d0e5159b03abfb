import { BSON } from 'mongodb'
import { Failure } from '../../../core/errors.ts'
import { ByteReader } from './byte-reader.ts'
import { formatCrc64 } from './crc64.ts'
import { DocumentSums } from './document-sums.ts'
import type { ArchiveHeader, ArchiveMetadata } from './format.ts'
import { dataCollection, FORMAT_VERSION, MAGIC } from './format.ts'
import { plainArchive } from './plain-archive.ts'

/** What an archive says, in its order. `documents` come as runs of whole documents; a run is valid until the next. */
export type ArchiveEvent =
  | { readonly type: 'prelude'; readonly header: ArchiveHeader; readonly metadata: readonly ArchiveMetadata[] }
  | {
      readonly type: 'documents'
      readonly metadata: ArchiveMetadata
      readonly bytes: Uint8Array
      readonly count: number
    }
  | { readonly type: 'end'; readonly metadata: ArchiveMetadata; readonly counted: Counted }

export interface Counted {
  readonly documents: number
  readonly bytes: number
  readonly crc64: string
  readonly digest: string
}

/** Far more than the definitions of a database need; a prelude that never ends must not fill the memory. */
const LARGEST_PRELUDE_BYTES = 64 * 1024 * 1024

interface Open {
  readonly metadata: ArchiveMetadata
  readonly sums: DocumentSums
  documents: number
  bytes: number
  ended: boolean
}

/**
 * Reads a mongodump archive and proves it on the way: every document whole, every collection announced, ended once and
 * with the checksum of its documents, and nothing behind the end. Anything else rejects with code `damaged`, naming
 * the place. What was yielded before that must be taken as unproven.
 */
export async function* parseArchive(body: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveEvent> {
  const reader = new ByteReader(plainArchive(body))
  try {
    yield* parse(reader)
  } finally {
    await reader.close()
  }
}

async function* parse(reader: ByteReader): AsyncGenerator<ArchiveEvent> {
  const magic = await reader.exactly(4)
  if (Buffer.compare(magic, MAGIC) !== 0) throw reader.damaged('it does not begin like a mongodump archive')
  const header = readHeader(await decoded(reader), reader)
  const metadata: ArchiveMetadata[] = []
  for (let left = LARGEST_PRELUDE_BYTES; !(await reader.terminator()); ) {
    const one = readMetadata(await decoded(reader), reader)
    left -= one.metadata.length
    if (left < 0) throw reader.damaged(`its prelude is larger than ${LARGEST_PRELUDE_BYTES} bytes`)
    metadata.push(one)
  }
  const open = new Map<string, Open>()
  for (const one of metadata) {
    const name = namespaceOf(one.database, dataCollection(one.collection, one.type))
    if (open.has(name)) throw reader.damaged(`its prelude names ${name} twice`)
    open.set(name, opened(one))
  }
  yield { type: 'prelude', header, metadata }
  while (!(await reader.atEnd())) {
    const { name, eof, crc } = readNamespace(await decoded(reader), reader)
    const current = open.get(name)
    if (!current) throw reader.damaged(`it holds documents of ${name}, which its prelude does not name`)
    if (current.ended) throw reader.damaged(`${name} goes on behind its end`)
    if (eof) {
      yield ended(current, crc, name, reader)
      if (!(await reader.terminator())) throw reader.damaged(`the end of ${name} is not terminated`)
      continue
    }
    while (!(await reader.terminator())) {
      const run = await reader.documents()
      if (current.metadata.type === 'view') throw reader.damaged(`it holds documents of ${name}, which is a view`)
      current.sums.update(run.bytes)
      current.documents += run.count
      current.bytes += run.bytes.length
      yield { type: 'documents', metadata: current.metadata, bytes: run.bytes, count: run.count }
    }
  }
  for (const [name, { ended: done, metadata: one }] of open) {
    if (!done && one.type !== 'view') throw reader.damaged(`it ends before the end of ${name}`)
  }
}

function opened(metadata: ArchiveMetadata): Open {
  return { metadata, sums: new DocumentSums(), documents: 0, bytes: 0, ended: false }
}

function ended(current: Open, expected: bigint, name: string, reader: ByteReader): ArchiveEvent {
  const crc = current.sums.crc64()
  if (crc !== expected) {
    throw reader.damaged(`the documents of ${name} have checksum ${formatCrc64(crc)}, not ${formatCrc64(expected)}`)
  }
  current.ended = true
  const { documents, bytes, metadata } = current
  return {
    type: 'end',
    metadata,
    counted: { documents, bytes, crc64: formatCrc64(crc), digest: current.sums.digest() },
  }
}

async function decoded(reader: ByteReader): Promise<Readonly<Record<string, unknown>>> {
  const bytes = await reader.document()
  try {
    return BSON.deserialize(bytes, { useBigInt64: true })
  } catch (cause) {
    throw reader.damaged('a header is not BSON', cause)
  }
}

function readHeader(document: Readonly<Record<string, unknown>>, reader: ByteReader): ArchiveHeader {
  const { concurrent_collections, version, server_version, tool_version } = document
  if (version !== FORMAT_VERSION) {
    throw new Failure(`reading the archive: it has format version ${String(version)}, this program reads 0.1`, {
      code: 'unsupported',
    })
  }
  if (
    typeof concurrent_collections !== 'number' ||
    typeof server_version !== 'string' ||
    typeof tool_version !== 'string'
  ) {
    throw reader.damaged('its header is incomplete')
  }
  return { concurrentCollections: concurrent_collections, serverVersion: server_version, toolVersion: tool_version }
}

function readMetadata(document: Readonly<Record<string, unknown>>, reader: ByteReader): ArchiveMetadata {
  const { db, collection, metadata, type } = document
  if (typeof db !== 'string' || typeof collection !== 'string' || typeof metadata !== 'string') {
    throw reader.damaged('the metadata of a collection is incomplete')
  }
  if (type !== '' && type !== undefined && type !== 'view' && type !== 'timeseries' && type !== 'collection') {
    throw reader.damaged(`${db}.${collection} has the unknown type ${JSON.stringify(type)}`)
  }
  return { database: db, collection, metadata, type: type === 'view' || type === 'timeseries' ? type : 'collection' }
}

function readNamespace(
  document: Readonly<Record<string, unknown>>,
  reader: ByteReader,
): { name: string; eof: boolean; crc: bigint } {
  const { db, collection, EOF, CRC } = document
  if (typeof db !== 'string' || typeof collection !== 'string' || typeof EOF !== 'boolean' || typeof CRC !== 'bigint') {
    throw reader.damaged('the header of a segment is incomplete')
  }
  return { name: namespaceOf(db, collection), eof: EOF, crc: BigInt.asUintN(64, CRC) }
}

function namespaceOf(database: string, collection: string): string {
  return `${database}.${collection}`
}
