import type { Db, Document, MongoClient } from 'mongodb'
import { Binary, BSON } from 'mongodb'
import { Failure } from '../../core/errors.ts'
import type { ArchiveMetadata } from './archive/format.ts'

/** One collection of the source with all that is needed to make it again. */
export interface CollectionInfo extends ArchiveMetadata {
  /** Bytes of its documents, as the server estimates; 0 where it does not say. */
  readonly sizeBytes: number
  readonly capped: boolean
}

/** Palette creates it only when there is something to archive. */
const OPTIONAL_DATABASES: readonly string[] = ['hubble_archivedb']

export interface DatabaseChoice {
  readonly databases: readonly string[]
  /** Databases that were asked for and may be absent. */
  readonly absent: readonly string[]
}

/** Those of the wanted databases that exist. A missing one is an error: a typo must not become an empty backup. */
export async function chooseDatabases(client: MongoClient, wanted: readonly string[]): Promise<DatabaseChoice> {
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
  const existing = databases.map(({ name }) => name)
  const missing = wanted.filter((name) => !existing.includes(name))
  const unknown = missing.filter((name) => !OPTIONAL_DATABASES.includes(name))
  if (unknown.length > 0) {
    const found = existing.filter((name) => !['admin', 'config', 'local'].includes(name))
    throw new Failure(`backing up MongoDB: there is no database named ${unknown.join(', ')}`, {
      code: 'not_found',
      hint: `The server has ${found.length === 0 ? 'no databases' : found.join(', ')}. Correct include_databases of the policy.`,
    })
  }
  return { databases: wanted.filter((name) => existing.includes(name)), absent: missing }
}

/** Every collection, view and time series of a database, largest first. */
export async function takeInventory(db: Db): Promise<CollectionInfo[]> {
  // Values keep their BSON types, so that options come out of the archive as they went in.
  const cursor = db.listCollections({}, { nameOnly: false, promoteValues: false })
  const collections: CollectionInfo[] = []
  for await (const found of cursor) {
    const name = String(found.name)
    if (name.startsWith('system.') && name !== 'system.js') continue
    const type = typeOf(String(found.type))
    const indexes = type === 'view' ? [] : await listIndexes(db, name)
    const metadata = BSON.EJSON.stringify(
      {
        options: found['options'] ?? {},
        indexes,
        ...uuidOf(found['info']),
        collectionName: name,
        type,
      },
      { relaxed: false },
    )
    const sizeBytes = type === 'view' ? 0 : await estimateSize(db, name)
    const capped = isCapped(found['options'])
    collections.push({ database: db.databaseName, collection: name, type, metadata, sizeBytes, capped })
  }
  return collections.sort((a, b) => b.sizeBytes - a.sizeBytes)
}

function isCapped(options: unknown): boolean {
  return typeof options === 'object' && options !== null && 'capped' in options && options.capped === true
}

function typeOf(type: string): CollectionInfo['type'] {
  return type === 'view' || type === 'timeseries' ? type : 'collection'
}

/** Without `ns`, which old servers add, newer ones refuse, and the archive says anyway. */
async function listIndexes(db: Db, collection: string): Promise<Document[]> {
  const indexes = await db.collection(collection).listIndexes({ promoteValues: false }).toArray()
  return indexes.map(({ ns: _, ...index }) => index)
}

function uuidOf(info: unknown): { uuid?: string } {
  const uuid = typeof info === 'object' && info !== null && 'uuid' in info ? info.uuid : undefined
  return uuid instanceof Binary ? { uuid: Buffer.from(uuid.value()).toString('hex') } : {}
}

/** An estimate for the order of reading and for progress: the backup does without it where the server refuses. */
async function estimateSize(db: Db, collection: string): Promise<number> {
  try {
    const { size } = await db.command({ collStats: collection })
    return Number(size) || 0
  } catch {
    return 0
  }
}
