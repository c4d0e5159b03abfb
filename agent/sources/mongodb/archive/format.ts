import { BSON } from 'mongodb'

/**
 * The archive format of mongodump, as mongo-tools documents it (common/archive/spec.md):
 *
 *     magic, header, one metadata document per collection, terminator,
 *     then segments (namespace header, documents, terminator) of any collections in any order,
 *     and for each collection one end (namespace header with EOF and CRC, terminator).
 */
export const MAGIC = Buffer.from([0x6d, 0xe2, 0x99, 0x81])
export const TERMINATOR = Buffer.from([0xff, 0xff, 0xff, 0xff])
export const FORMAT_VERSION = '0.1'

/** 16 MiB for a document and 16 KiB for what the server adds to it. */
export const LARGEST_DOCUMENT = 16 * 1024 * 1024 + 16 * 1024
export const SMALLEST_DOCUMENT = 5

export interface ArchiveHeader {
  /** How many collections may interleave; mongorestore restores as many at once. */
  readonly concurrentCollections: number
  readonly serverVersion: string
  readonly toolVersion: string
}

export interface ArchiveMetadata {
  readonly database: string
  readonly collection: string
  /** Canonical Extended JSON: `{ options, indexes, uuid, collectionName, type }`. */
  readonly metadata: string
  readonly type: 'collection' | 'view' | 'timeseries'
}

export function encodeHeader({ concurrentCollections, serverVersion, toolVersion }: ArchiveHeader): Uint8Array {
  return BSON.serialize({
    concurrent_collections: new BSON.Int32(concurrentCollections),
    version: FORMAT_VERSION,
    server_version: serverVersion,
    tool_version: toolVersion,
  })
}

export function encodeMetadata({ database, collection, metadata, type }: ArchiveMetadata): Uint8Array {
  return BSON.serialize({
    db: database,
    collection,
    metadata,
    size: new BSON.Int32(0),
    type: type === 'collection' ? '' : type,
  })
}

/** The header of a segment, or with a checksum the end of the collection. */
export function encodeNamespace(database: string, collection: string, crc?: bigint): Uint8Array {
  return BSON.serialize({
    db: database,
    collection,
    EOF: crc !== undefined,
    CRC: BSON.Long.fromBigInt(BigInt.asIntN(64, crc ?? 0n)),
  })
}

/** Where the documents of a collection lie: those of a time series are in its buckets. */
export function dataCollection(collection: string, type: ArchiveMetadata['type']): string {
  return type === 'timeseries' ? `system.buckets.${collection}` : collection
}
