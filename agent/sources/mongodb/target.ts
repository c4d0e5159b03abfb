import type { Document, MongoClient } from 'mongodb'
import type { MongodbConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import type { Place, PlaceFacts, ReadOptions, TargetFacts } from '../source.ts'
import { DocumentDigest } from './archive/document-digest.ts'
import { dataCollection } from './archive/format.ts'
import { mongodbFailure } from './classify.ts'
import { connect, hostsOf } from './connect.ts'
import { ask, type Reading } from './operation.ts'
import { Pace } from './pace.ts'
import { rawFind } from './raw-cursor.ts'
import { openSession } from './reading-session.ts'
import { missingRights } from './rights.ts'
import { Wire } from './wire/wire.ts'

/** Collections digested side by side. */
const PARALLEL_DIGESTS = 3

/** What stands in a server that a backup is to be put back into. */
export async function lookAtTarget(
  config: MongodbConfig,
  databases: readonly string[],
  { signal }: ReadOptions,
  clock: Clock,
): Promise<TargetFacts> {
  const doing = 'looking at the target of the restore'
  await using connection = await connect(config, signal)
  const { client } = connection
  await using kept = openSession(client, clock)
  const reading = { session: kept.session, signal }
  try {
    const admin = client.db('admin')
    const { version } = await ask(admin, { buildInfo: 1 }, reading)
    const listed = await ask(admin, { listDatabases: 1, nameOnly: true }, reading)
    const names: string[] = (listed['databases'] ?? []).map(({ name }: Document) => String(name))
    const existing = databases.filter((name) => names.includes(name))
    const wanted = new Set(databases.map((name) => name.toLowerCase()))
    const alike = names.filter((name) => wanted.has(name.toLowerCase()) && !databases.includes(name))
    const stats = await Promise.all(existing.map((name) => statsOf(client, name, reading)))
    const [fcv, disk, missing] = await Promise.all([
      tolerant(ask(admin, { getParameter: 1, featureCompatibilityVersion: 1 }, reading)),
      tolerant(ask(client.db(existing[0] ?? 'admin'), { dbStats: 1 }, reading)),
      tolerant(missingRights(admin, databases, reading)),
    ])
    const fcvText: unknown = fcv?.['featureCompatibilityVersion']?.version
    const freeBytes = Number(disk?.['fsTotalSize']) - Number(disk?.['fsUsedSize'])
    return {
      host: hostsOf(client),
      serverVersion: String(version),
      ...(typeof fcvText === 'string' ? { featureCompatibilityVersion: fcvText } : {}),
      databases: existing.map((name, index) => ({ name, ...(stats[index] ?? { collections: 0, bytes: 0 }) })),
      ...(alike.length > 0 ? { alike } : {}),
      ...(Number.isFinite(freeBytes) && freeBytes >= 0 ? { freeBytes } : {}),
      ...(missing ? { missingRights: missing } : {}),
    }
  } catch (thrown) {
    throw mongodbFailure(thrown, doing)
  }
}

async function statsOf(client: MongoClient, database: string, reading: Reading) {
  const db = client.db(database)
  const stats = await tolerant(ask(db, { dbStats: 1 }, reading))
  const collections = await db.listCollections({}, { nameOnly: true, ...reading }).toArray()
  return { collections: collections.length, bytes: Number(stats?.['dataSize']) || 0 }
}

/** An answer that the restore can do without, where the server or the rights do not give it. */
async function tolerant<T>(question: Promise<T>): Promise<T | undefined> {
  try {
    return await question
  } catch {
    return undefined
  }
}

/** Reads collections whole, as a majority of the members has them, and digests every document. */
export async function digestTarget(
  config: MongodbConfig,
  places: readonly Place[],
  { signal, onProgress }: ReadOptions,
  clock: Clock,
): Promise<readonly PlaceFacts[]> {
  await using connection = await connect(config, signal)
  const { client } = connection
  await using kept = openSession(client, clock)
  const reading = { session: kept.session, signal }
  using wire = new Wire(client, { replies: 'batches' })
  const pace = new Pace(undefined, clock)
  const waiting = [...places]
  const facts: PlaceFacts[] = []
  const counted = { bytes: 0, documents: 0 }
  const worker = async (): Promise<void> => {
    for (let place = waiting.shift(); place; place = waiting.shift()) {
      facts.push(
        await digestPlace(client, place, { ...reading, wire, pace }, (bytes, documents) => {
          counted.bytes += bytes
          counted.documents += documents
          onProgress?.({ ...counted })
        }),
      )
    }
  }
  await Promise.all(Array.from({ length: PARALLEL_DIGESTS }, worker))
  return facts
}

async function digestPlace(
  client: MongoClient,
  place: Place,
  { wire, pace, ...reading }: Reading & { readonly wire: Wire; readonly pace: Pace },
  onBatch: (bytes: number, documents: number) => void,
): Promise<PlaceFacts> {
  const { database, collection, type } = place
  const digest = new DocumentDigest()
  let documents = 0
  const db = client.db(database)
  try {
    if (type === 'view') {
      const found = await db.listCollections({ name: collection, type }, { nameOnly: true, ...reading }).toArray()
      // One that is not there has no digest at all, and so never the one that is expected.
      return { ...place, documents: 0, digest: found.length === 1 ? digest.digest() : 'absent' }
    }
    const readConcern = { level: 'majority' }
    for await (const { run, count } of rawFind(db, dataCollection(collection, type), {
      ...{ ...reading, wire, pace, readConcern },
    })) {
      digest.update(run)
      documents += count
      onBatch(run.length, count)
    }
  } catch (thrown) {
    throw mongodbFailure(thrown, `reading ${database}.${collection} of the target`)
  }
  return { ...place, documents, digest: digest.digest() }
}

export async function dropDatabases(
  config: MongodbConfig,
  names: readonly string[],
  { signal }: ReadOptions,
): Promise<void> {
  await using connection = await connect(config, signal)
  for (const name of names) {
    try {
      await connection.client.db(name).command({ dropDatabase: 1, writeConcern: { w: 'majority' } })
    } catch (thrown) {
      throw mongodbFailure(thrown, `dropping database ${name} of the target`)
    }
  }
}
