import type { ClientSession, MongoClient } from 'mongodb'
import type { MongodbConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import type { CollectionFacts, Consistency, MongodbFacts, ReadOptions, Source, SourceArtifact } from '../source.ts'
import { mongodbFailure } from './classify.ts'
import { connect } from './connect.ts'
import { inspectArchive } from './inspect.ts'
import type { CollectionInfo, DatabaseChoice } from './inventory.ts'
import { chooseDatabases, takeInventory } from './inventory.ts'
import { readArchive } from './read-archive.ts'
import { restoreArchive } from './restore-archive.ts'
import type { ReadPoint } from './snapshot.ts'
import { chooseReadPoint } from './snapshot.ts'

export interface MongodbSourceOptions {
  readonly mongodb: MongodbConfig
  readonly databases: readonly string[]
  /** `false`: do not try to read everything at one instant; the text says why, for the manifest. */
  readonly withoutSnapshot?: string
  readonly toolVersion: string
  readonly clock: Clock
}

/** Palette's MongoDB, read as one archive and written back from one. */
export function createMongodbSource(options: MongodbSourceOptions): Source<MongodbFacts> {
  return {
    name: 'mongodb',
    read: (readOptions) => read(options, readOptions),
    restore: (body, restoreOptions) => restoreArchive(options.mongodb, body, restoreOptions),
    inspect: (body, readOptions) => inspectArchive(body, readOptions),
  }
}

async function* read(
  options: MongodbSourceOptions,
  readOptions: ReadOptions,
): AsyncGenerator<SourceArtifact<MongodbFacts>> {
  await using connection = await connect(options.mongodb, readOptions.signal)
  const { client } = connection
  // Not causally consistent: such a session may not name an instant of its own.
  const session = client.startSession({ causalConsistency: false })
  try {
    const plan = await prepare(client, session, options)
    yield new ArchiveArtifact(client, session, plan, options, readOptions)
  } finally {
    await session.endSession().catch(() => undefined)
  }
}

interface Plan {
  readonly choice: DatabaseChoice
  readonly collections: readonly CollectionInfo[]
  readonly readPoint: ReadPoint
  readonly serverVersion: string
  readonly featureCompatibilityVersion: string | undefined
}

async function prepare(client: MongoClient, session: ClientSession, options: MongodbSourceOptions): Promise<Plan> {
  try {
    const { version } = await client.db('admin').command({ buildInfo: 1 })
    const choice = await chooseDatabases(client, options.databases)
    const inventories: CollectionInfo[][] = []
    for (const name of choice.databases) inventories.push(await takeInventory(client.db(name)))
    const collections = inventories.flat().sort((a, b) => b.sizeBytes - a.sizeBytes)
    const readPoint = options.withoutSnapshot
      ? { reason: options.withoutSnapshot }
      : await chooseReadPoint(client, session, collections, String(version))
    const featureCompatibilityVersion = await readFcv(client)
    return { choice, collections, readPoint, serverVersion: String(version), featureCompatibilityVersion }
  } catch (thrown) {
    throw mongodbFailure(thrown, 'looking at what MongoDB holds')
  }
}

/** Needs a right that an external MongoDB may not give. */
async function readFcv(client: MongoClient): Promise<string | undefined> {
  try {
    const reply = await client.db('admin').command({ getParameter: 1, featureCompatibilityVersion: 1 })
    const version: unknown = reply['featureCompatibilityVersion']?.version
    return typeof version === 'string' ? version : undefined
  } catch {
    return undefined
  }
}

class ArchiveArtifact implements SourceArtifact<MongodbFacts> {
  readonly name = 'mongodb.archive'
  readonly body: AsyncIterable<Uint8Array>
  readonly #plan: Plan
  readonly #collections: CollectionFacts[] = []
  #span: { readonly from: Date; readonly to: Date } | undefined

  constructor(
    client: MongoClient,
    session: ClientSession,
    plan: Plan,
    { toolVersion, clock }: MongodbSourceOptions,
    { onProgress = () => undefined }: ReadOptions,
  ) {
    this.#plan = plan
    const { collections, readPoint, serverVersion } = plan
    const onCollection = (facts: CollectionFacts): void => void this.#collections.push(facts)
    const archive = readArchive({
      client,
      session,
      collections,
      readPoint,
      serverVersion,
      toolVersion,
      onProgress,
      onCollection,
    })
    this.body = this.#timed(archive, clock)
  }

  facts(): MongodbFacts {
    if (!this.#span) throw new Error('facts asked for before the archive had ended')
    const { serverVersion, featureCompatibilityVersion, choice } = this.#plan
    return {
      source: 'mongodb',
      serverVersion,
      ...(featureCompatibilityVersion === undefined ? {} : { featureCompatibilityVersion }),
      consistency: this.#consistency(this.#span),
      databases: choice.databases,
      collections: [...this.#collections].sort(byNamespace),
    }
  }

  warnings(): readonly string[] {
    const { choice, collections, readPoint } = this.#plan
    const apart = readPoint.exceptCapped ? collections.filter(({ capped }) => capped) : []
    return [
      ...choice.absent.map((name) => `database ${name} does not exist and is not in the backup`),
      ...apart.map(
        ({ database, collection }) =>
          `${database}.${collection} is capped: this server cannot read it at the instant of the others`,
      ),
    ]
  }

  #consistency({ from, to }: { readonly from: Date; readonly to: Date }): Consistency {
    const { at, reason } = this.#plan.readPoint
    const span = { from: from.toISOString(), to: to.toISOString() }
    if (at) return { level: 'snapshot', at: at.toISOString(), ...span }
    return { level: 'none', ...span, reason: reason ?? 'no snapshot was asked for' }
  }

  async *#timed(archive: AsyncIterable<Uint8Array>, clock: Clock): AsyncGenerator<Uint8Array> {
    const from = clock.now()
    yield* archive
    this.#span = { from, to: clock.now() }
  }
}

function byNamespace(a: CollectionFacts, b: CollectionFacts): number {
  return compare(a.database, b.database) || compare(a.collection, b.collection)
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
