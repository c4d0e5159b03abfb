import { UUID } from 'mongodb'
import { ClusterClock, type ClusterTime, secondsNow } from './cluster-clock.ts'
import { Collection, type CollectionSettings } from './collection.ts'
import { encode, type Fields } from './encode.ts'
import { CommandError } from './errors.ts'
import { withId } from './ids.ts'
import { element as elementOf, embedded } from './raw-bson.ts'

/** `minSnapshotHistoryWindowInSeconds`. MongoDB manual, MongoDB Server Parameters. */
const DEFAULT_HISTORY_SECONDS = 300

export interface AddOptions {
  readonly documents?: Iterable<Buffer>
  readonly options?: Fields | Buffer
  /** Beside `_id_`. */
  readonly indexes?: readonly (Fields | Buffer)[]
}

/** All databases of the double. Names as in `listDatabases` and `listCollections`. */
export class Store {
  readonly clock = new ClusterClock()
  historySeconds = DEFAULT_HISTORY_SECONDS

  readonly #databases = new Map<string, Map<string, Collection>>()
  // When a namespace last lost its collection: a snapshot before that cannot be served any more.
  readonly #lost = new Map<string, ClusterTime>()

  databases(): readonly string[] {
    return [...this.#databases.keys()].filter((name) => this.collections(name).length > 0).sort()
  }

  collections(database: string): readonly Collection[] {
    return [...(this.#databases.get(database)?.values() ?? [])]
  }

  find(database: string, name: string): Collection | undefined {
    return this.#databases.get(database)?.get(name)
  }

  /** The documents held now, as bytes. */
  documents(database: string, name: string): readonly Buffer[] {
    const version = this.find(database, name)?.current
    return version ? version.documents.slice(0, version.length) : []
  }

  /** Makes a collection with documents, for the set-up of a test. */
  add(database: string, name: string, { documents = [], options = {}, indexes = [] }: AddOptions = {}): Collection {
    return this.#add(database, name, { documents, options, indexes }, false)
  }

  /** The same; built batches are kept, for reading the collection again and again at full speed. */
  addPrepared(
    database: string,
    name: string,
    { documents = [], options = {}, indexes = [] }: AddOptions = {},
  ): Collection {
    return this.#add(database, name, { documents, options, indexes }, true)
  }

  /** The same collection once more under another name, for reading only: it shares its documents and built batches. */
  duplicate(collection: Collection, name: string): Collection {
    const { database, type, options, indexes, prepared, current } = collection
    const made = this.create(database, name, { type, options, indexes, prepared })
    made.hold(current, this.clock.tick())
    return made
  }

  create(database: string, name: string, settings: Partial<CollectionSettings> = {}): Collection {
    if (this.find(database, name)) {
      throw new CommandError(48, `Collection ${database}.${name} already exists.`)
    }
    const options = settings.options ?? encode({})
    const collection = new Collection(
      database,
      name,
      {
        type: settings.type ?? 'collection',
        options,
        indexes: settings.indexes ?? defaultIndexes(options, settings.type ?? 'collection'),
        uuid: settings.uuid ?? new UUID(),
        prepared: settings.prepared ?? false,
      },
      this.clock.tick(),
    )
    this.#database(database).set(name, collection)
    return collection
  }

  /** The collection, made if it is not there, as a first insert does. */
  ensure(database: string, name: string): Collection {
    return this.find(database, name) ?? this.create(database, name)
  }

  insert(collection: Collection, documents: readonly Buffer[]): void {
    collection.append(documents, this.clock.tick())
    collection.forgetBefore(this.historyStart())
  }

  rewrite(collection: Collection, changes: ReadonlyMap<number, Buffer | undefined>): void {
    collection.rewrite(changes, this.clock.tick())
    collection.forgetBefore(this.historyStart())
  }

  drop(database: string, name: string): Collection | undefined {
    const collection = this.find(database, name)
    if (!collection) return undefined
    collection.dropped = true
    this.#database(database).delete(name)
    this.#lost.set(`${database}.${name}`, this.clock.tick())
    return collection
  }

  rename(collection: Collection, database: string, name: string): void {
    const moved = new Collection(database, name, { ...collection, prepared: collection.prepared }, this.clock.tick())
    this.insert(moved, this.documents(collection.database, collection.name))
    this.drop(collection.database, collection.name)
    this.#database(database).set(name, moved)
  }

  /** When the namespace lost a collection, if it did. */
  lostAt(database: string, name: string): ClusterTime | undefined {
    return this.#lost.get(`${database}.${name}`)
  }

  /** The oldest instant a snapshot may be read at. */
  historyStart(): ClusterTime {
    return (secondsNow() - BigInt(this.historySeconds)) << 32n
  }

  #database(name: string): Map<string, Collection> {
    const known = this.#databases.get(name)
    if (known) return known
    const made = new Map<string, Collection>()
    this.#databases.set(name, made)
    return made
  }

  #add(database: string, name: string, given: Required<AddOptions>, prepared: boolean): Collection {
    const options = Buffer.isBuffer(given.options) ? given.options : encode(given.options)
    const indexes = given.indexes.map((index) => (Buffer.isBuffer(index) ? index : encode({ v: 2, ...index })))
    const type = elementOf(options, 'viewOn') ? 'view' : 'collection'
    const collection = this.create(database, name, {
      type,
      options,
      prepared,
      indexes: [...defaultIndexes(options, type), ...indexes],
    })
    this.insert(collection, Array.from(given.documents, withId))
    return collection
  }
}

/**
 * The index every collection is born with. A clustered collection lists its cluster key instead, the buckets of a
 * time series have none, views have none; a collation of the collection is the index's too.
 * MongoDB manual, Clustered Collections; db.createCollection().
 */
function defaultIndexes(options: Buffer, type: CollectionSettings['type']): readonly Buffer[] {
  if (type !== 'collection') return []
  const clustered = embedded(options, 'clusteredIndex')
  if (clustered) {
    const name = elementOf(clustered, 'name')
    const label = name ? name.value.toString('utf8', 4, name.value.length - 1) : '_id_'
    return [encode({ v: 2, key: { _id: 1 }, name: label, unique: true, clustered: true })]
  }
  if (elementOf(options, 'clusteredIndex')) return []
  const collation = embedded(options, 'collation')
  return [encode({ v: 2, key: { _id: 1 }, name: '_id_', collation })]
}
