import type { MongoClient } from 'mongodb'
import { throwIfAborted } from '../../core/errors.ts'
import { catalogChanges } from './catalog-changes.ts'
import { mongodbFailure } from './classify.ts'
import type { CollectionInfo, DatabaseChoice } from './inventory.ts'
import { chooseDatabases, takeInventory } from './inventory.ts'
import type { Reading } from './operation.ts'
import { ask } from './operation.ts'
import type { ReadPoint } from './snapshot.ts'
import { chooseReadPoint, withoutInstant } from './snapshot.ts'

/** A catalog that changes more often than this is taken as it is; what changes is told after the reading. */
const LOOKS = 3

export interface ReadPlan {
  readonly choice: DatabaseChoice
  /** Largest first: what takes longest must begin first, and progress can foresee the end. */
  readonly collections: readonly CollectionInfo[]
  readonly readPoint: ReadPoint
  readonly serverVersion: string
  readonly featureCompatibilityVersion: string | undefined
}

export interface PlanOptions {
  readonly databases: readonly string[]
  /** Why not to try reading everything at one instant. */
  readonly withoutSnapshot?: string
  /** Read from a member of a replica set. */
  readonly replicated: boolean
}

/** What there is to read, and the instant to read it at: chosen last, because history passes from then on. */
export async function planReading(client: MongoClient, reading: Reading, options: PlanOptions): Promise<ReadPlan> {
  const doing = 'looking at what MongoDB holds'
  try {
    const admin = client.db('admin')
    const { version } = await ask(admin, { buildInfo: 1 }, reading)
    const serverVersion = String(version)
    const featureCompatibilityVersion = await readFcv(client, reading)
    const choice = await chooseDatabases(client, options.databases, reading)
    let collections = await takeInventories(client, choice.databases, reading)
    let readPoint = await choose()
    // A collection that came between the list and the instant belongs into the backup and would be missing.
    for (let look = 1; look < LOOKS && readPoint.at; look += 1) {
      const again = await takeInventories(client, choice.databases, reading, collections)
      if (catalogChanges(collections, again).length === 0) break
      collections = again
      readPoint = await choose()
    }
    return { choice, collections, readPoint, serverVersion, featureCompatibilityVersion }

    async function choose(): Promise<ReadPoint> {
      if (options.withoutSnapshot !== undefined) return withoutInstant(options.withoutSnapshot, options.replicated)
      const point = await chooseReadPoint(client, reading, collections, serverVersion)
      return point.at ? point : withoutInstant(point.reason ?? 'no snapshot was given', options.replicated)
    }
  } catch (thrown) {
    throwIfAborted(reading.signal, doing)
    throw mongodbFailure(thrown, doing)
  }
}

/** Every collection, view and time series of the databases, largest first; `known`: of an earlier look, for their sizes. */
export async function takeInventories(
  client: MongoClient,
  databases: readonly string[],
  reading: Reading,
  known: readonly CollectionInfo[] = [],
): Promise<CollectionInfo[]> {
  const inventories: CollectionInfo[][] = []
  for (const name of databases) inventories.push(await takeInventory(client.db(name), reading, known))
  return inventories.flat().sort((a, b) => b.sizeBytes - a.sizeBytes)
}

/** Needs a right that an external MongoDB may not give. */
async function readFcv(client: MongoClient, reading: Reading): Promise<string | undefined> {
  try {
    const reply = await ask(client.db('admin'), { getParameter: 1, featureCompatibilityVersion: 1 }, reading)
    const version: unknown = reply['featureCompatibilityVersion']?.version
    return typeof version === 'string' ? version : undefined
  } catch {
    return undefined
  }
}
