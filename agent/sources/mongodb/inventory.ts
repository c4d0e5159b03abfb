import type { Db, Document, MongoClient } from 'mongodb'
import { Binary, BSON } from 'mongodb'
import { Failure } from '../../core/errors.ts'
import type { ArchiveMetadata } from './archive/format.ts'
import { extendedJsonOf, fieldsOf } from './archive/write-extended-json.ts'
import { ask, type Reading } from './operation.ts'
import { rawList } from './raw-cursor.ts'

/** One collection of the source with all that is needed to make it again. */
export interface CollectionInfo extends ArchiveMetadata {
  /** Bytes of its documents, as the server estimates; 0 where it does not say. */
  readonly sizeBytes: number
  /** Average bytes of a document, where the server says. */
  readonly documentBytes?: number
  /** Identity of the collection, 32 hexadecimal digits; views and old servers have none. */
  readonly uuid?: string
  /** A time series whose buckets are in no collection of their own (MongoDB 8.3). */
  readonly rawData?: boolean
  readonly capped: boolean
}

type Size = Pick<CollectionInfo, 'sizeBytes' | 'documentBytes'>

const NOTHING = Buffer.of(5, 0, 0, 0, 0)

/** Palette creates it only when there is something to archive. */
const OPTIONAL_DATABASES: readonly string[] = ['hubble_archivedb']

export interface DatabaseChoice {
  readonly databases: readonly string[]
  /** Databases that were asked for and may be absent. */
  readonly absent: readonly string[]
}

/** Those of the wanted databases that exist. A missing one is an error: a typo must not become an empty backup. */
export async function chooseDatabases(
  client: MongoClient,
  wanted: readonly string[],
  reading: Reading,
): Promise<DatabaseChoice> {
  const { databases } = await ask(client.db('admin'), { listDatabases: 1, nameOnly: true }, reading)
  const existing: readonly string[] = databases.map(({ name }: Document) => String(name))
  const { unknown, ...choice } = chooseAmong(wanted, existing)
  if (unknown.length > 0) {
    const found = existing.filter((name) => !['admin', 'config', 'local'].includes(name))
    throw new Failure(`backing up MongoDB: there is no database named ${unknown.join(', ')}`, {
      code: 'not_found',
      hint: `The server has ${found.length === 0 ? 'no databases' : found.join(', ')}. Correct include_databases of the policy.`,
    })
  }
  return choice
}

/** `unknown`: those that must not be missing and are. */
export function chooseAmong(
  wanted: readonly string[],
  existing: readonly string[],
): DatabaseChoice & { readonly unknown: readonly string[] } {
  const absent = wanted.filter((name) => !existing.includes(name))
  const unknown = absent.filter((name) => !OPTIONAL_DATABASES.includes(name))
  return { databases: wanted.filter((name) => existing.includes(name)), absent, unknown }
}

/**
 * Every collection, view and time series of a database; sizes that are known already are not asked for again. Of
 * `system.*` only `system.js` is data of the database: its views are listed one by one, buckets belong to their time
 * series, profiles and the rest are the server's own.
 */
export async function takeInventory(
  db: Db,
  reading: Reading,
  known: readonly CollectionInfo[],
): Promise<CollectionInfo[]> {
  const found = (await rawList(db, { listCollections: 1 }, reading)).map(readListed)
  const names = new Set(found.map(({ name }) => name))
  const before = new Map(
    known.filter(({ database }) => database === db.databaseName).map((one) => [one.collection, one]),
  )
  const collections: CollectionInfo[] = []
  for (const { name, type, options, uuid } of found) {
    if (name.startsWith('system.') && name !== 'system.js') continue
    const indexes = type === 'view' ? [] : await listIndexes(db, name, reading)
    const identity = uuid === undefined ? {} : { uuid }
    const rest = JSON.stringify({ ...identity, collectionName: name, type }).slice(1)
    const same = before.get(name)
    const size = same?.type === type && same.uuid === uuid ? sizeOf(same) : await estimateSize(db, name, type, reading)
    collections.push({
      ...{ database: db.databaseName, collection: name, type, capped: isCapped(options) },
      metadata: `{"options":${extendedJsonOf(options)},"indexes":[${indexes.join(',')}],${rest}`,
      ...identity,
      ...size,
      ...(type === 'timeseries' && !names.has(`system.buckets.${name}`) ? { rawData: true } : {}),
    })
  }
  return collections
}

interface Listed {
  readonly name: string
  readonly type: CollectionInfo['type']
  /** As bytes: their fields have an order. */
  readonly options: Uint8Array
  readonly uuid: string | undefined
}

function readListed(bytes: Uint8Array): Listed {
  const { name, type, info } = BSON.deserialize(bytes)
  const options = [...fieldsOf(bytes)].find((field) => field.name === 'options')?.value
  return { name: String(name), type: typeOf(String(type)), options: options ?? NOTHING, uuid: uuidOf(info?.uuid) }
}

function isCapped(options: Uint8Array): boolean {
  return [...fieldsOf(options)].some(({ name, value }) => name === 'capped' && value[0] === 1)
}

function typeOf(type: string): CollectionInfo['type'] {
  return type === 'view' || type === 'timeseries' ? type : 'collection'
}

/** Without `ns`, which old servers add, newer ones refuse, and the archive says anyway. */
async function listIndexes(db: Db, collection: string, reading: Reading): Promise<string[]> {
  const listed = await rawList(db, { listIndexes: collection }, reading)
  return listed.map((bytes) => extendedJsonOf(bytes, { except: 'ns' }))
}

function uuidOf(uuid: unknown): string | undefined {
  return uuid instanceof Binary ? Buffer.from(uuid.value()).toString('hex') : undefined
}

function sizeOf({ sizeBytes, documentBytes }: CollectionInfo): Size {
  return { sizeBytes, ...(documentBytes === undefined ? {} : { documentBytes }) }
}

/** An estimate for the order of reading and for progress: the backup does without it where the server refuses. */
async function estimateSize(db: Db, collection: string, type: CollectionInfo['type'], reading: Reading): Promise<Size> {
  if (type === 'view') return { sizeBytes: 0 }
  try {
    const { size, avgObjSize } = await ask(db, { collStats: collection }, reading)
    const documentBytes = Number(avgObjSize) || 0
    return { sizeBytes: Number(size) || 0, ...(documentBytes > 0 ? { documentBytes } : {}) }
  } catch {
    return { sizeBytes: 0 }
  }
}
