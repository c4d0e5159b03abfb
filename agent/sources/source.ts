/** What a source found out while it was read; known once the body has been read to its end. */
export type SourceFacts = MongodbFacts | KubernetesFacts

export interface KubernetesFacts {
  readonly source: 'kubernetes'
  /** Of the API server, as it calls itself. */
  readonly serverVersion: string
  /** ISO 8601, UTC: objects are read one after another, each as it was when it was read. */
  readonly from: string
  readonly to: string
  /** Where namespaced objects were looked for. */
  readonly namespaces: readonly string[]
  /** How many there are of each kind: `{ "Secret": 12, "Spectrocluster.cluster.spectrocloud.com": 3 }`. */
  readonly objects: Readonly<Record<string, number>>
  /** What should be in the artifact and could not be read: the backup is `partial`. */
  readonly unread: readonly Unread[]
}

export interface Unread {
  readonly what: string
  readonly reason: string
}

export interface MongodbFacts {
  readonly source: 'mongodb'
  readonly serverVersion: string
  /** Feature compatibility version, where the server tells it. */
  readonly featureCompatibilityVersion?: string
  readonly consistency: Consistency
  readonly member?: MemberFacts
  readonly databases: readonly string[]
  readonly collections: readonly CollectionFacts[]
}

/** Who was read. `hidden`: a secondary that serves nobody else; `router`: a mongos, whose members are its own business. */
export interface MemberFacts {
  /** `host:port`. */
  readonly host: string
  readonly role: 'primary' | 'secondary' | 'hidden' | 'standalone' | 'router'
}

export interface Consistency {
  /** `snapshot`: every collection as it was at `at`. `none`: each as it was when it was read, between `from` and `to`. */
  readonly level: 'snapshot' | 'none'
  /** ISO 8601, UTC: the cluster time that was read at. */
  readonly at?: string
  readonly from: string
  readonly to: string
  /** Why it is not a snapshot. */
  readonly reason?: string
}

export interface CollectionFacts {
  readonly database: string
  readonly collection: string
  readonly type: 'collection' | 'view' | 'timeseries'
  readonly documents: number
  /** Bytes of BSON. */
  readonly bytes: number
  /** CRC-64/ECMA over the documents in the order they were read, 16 hexadecimal digits; as in the archive. */
  readonly crc64: string
  /** Over the documents in any order: `sip128:` and 32 hexadecimal digits (archive/document-digest.ts). */
  readonly digest: string
  /** ISO 8601, UTC: when its reading began and ended, where it was not read at the instant of the others. */
  readonly from?: string
  readonly to?: string
}

/** One object that a source produces. `body` can be read once. */
export interface SourceArtifact<Facts extends SourceFacts = SourceFacts> {
  /** File name without the endings that packing adds: `mongodb.archive`. */
  readonly name: string
  readonly body: AsyncIterable<Uint8Array>
  /** Throws until the body has ended. */
  facts(): Facts
  /** What is missing although the artifact is whole, as sentences for the operator; complete once the body has ended. */
  warnings(): readonly string[]
}

/** What an artifact was found to hold when it was read back. */
export type Inspection =
  | { readonly source: 'mongodb'; readonly collections: readonly CollectionFacts[] }
  | { readonly source: 'kubernetes'; readonly objects: Readonly<Record<string, number>> }

export interface SourceProgress {
  readonly bytes: number
  readonly totalBytes?: number
  readonly documents: number
  /** The collection that is being read. */
  readonly collection?: string
}

export interface ReadOptions {
  readonly signal: AbortSignal
  readonly onProgress?: (progress: SourceProgress) => void
}

/** Remembers, where a crash cannot forget it, what a source has changed and must put back. */
export interface Receipts {
  add(receipt: string): Promise<void>
  remove(receipt: string): Promise<void>
}

export interface SourceReadOptions extends ReadOptions {
  readonly receipts?: Receipts
}

export interface RestoreOptions extends ReadOptions {
  /**
   * The database that each collection goes into, by `database.collection` of the artifact. What is not named is left
   * out. Default: everything but the server's own databases, where it was.
   */
  readonly into?: ReadonlyMap<string, string>
  /** Databases of the target that are dropped first. In others only what is put back is. Default: all that is gone into. */
  readonly drop?: readonly string[]
}

/** A collection of the target. */
export interface Place {
  readonly database: string
  readonly collection: string
  readonly type: CollectionFacts['type']
}

export interface PlaceFacts extends Place {
  readonly documents: number
  readonly digest: string
}

/** The server that a backup is put back into, as it is now. */
export interface TargetFacts {
  /** `host:port`, without credentials. */
  readonly host: string
  readonly serverVersion: string
  readonly featureCompatibilityVersion?: string
  /** Of the databases that were asked for, those that exist. */
  readonly databases: readonly { readonly name: string; readonly collections: number; readonly bytes: number }[]
  /** Databases whose names are those that were asked for but for upper and lower case. */
  readonly alike?: readonly string[]
  /** On the disk of its data, where it tells. */
  readonly freeBytes?: number
  /** Actions that the user lacks and a restore needs, as `insert on hubbledb`; undefined where the server does not say. */
  readonly missingRights?: readonly string[]
}

export interface RestoreOutcome {
  readonly databases: readonly string[]
  readonly collections: number
  readonly documents: number
  readonly bytes: number
  readonly indexes: number
  /** What could not be put back although the documents are there, such as an index the server refuses. */
  readonly problems: readonly string[]
  /** Collections, as `database.collection` of the target, whose documents the server deletes when they are old. */
  readonly expiring: readonly string[]
}

/** Something that is read consistently. */
export interface Source<Facts extends SourceFacts = SourceFacts> {
  readonly name: Facts['source']
  /** `host:port` of what is read, as a restore into it is on record; absent where nothing is restored whole. */
  readonly target?: string
  /** Connects, checks what was asked for and yields artifacts one after another; ends connections when done. */
  read(options: SourceReadOptions): AsyncIterable<SourceArtifact<Facts>>
  /** Puts back what a run that died had changed and remembered. */
  release?(receipt: string, options: ReadOptions): Promise<void>
  /** Reads an unpacked artifact to its end and proves it: format, everything in it, counts and checksums. */
  inspect(body: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<Inspection>
}

/** A source whose artifacts are put back whole. */
export interface RestorableSource<Facts extends SourceFacts = SourceFacts> extends Source<Facts> {
  /** Puts the unpacked bytes of one artifact back. The caller has proven the artifact before. */
  restore(body: AsyncIterable<Uint8Array>, options: RestoreOptions): Promise<RestoreOutcome>
  /** Changes nothing. */
  look(databases: readonly string[], options: ReadOptions): Promise<TargetFacts>
  /** Counts and digests of what stands in the target, read from it; of views, that they are there. */
  digest(places: readonly Place[], options: ReadOptions): Promise<readonly PlaceFacts[]>
  dropDatabases(names: readonly string[], options: ReadOptions): Promise<void>
}
