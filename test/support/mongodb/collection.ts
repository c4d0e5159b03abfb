import { BSON, type UUID } from 'mongodb'
import { BatchCache } from './batch-cache.ts'
import type { ClusterTime } from './cluster-clock.ts'
import { idKey } from './ids.ts'
import { element } from './raw-bson.ts'

export type CollectionType = 'collection' | 'view' | 'timeseries'

/**
 * What a collection held from one instant on: the first `length` documents of a list that only ever grows,
 * each with its record id. An insert makes a new version over the same list, anything else a new list.
 */
export interface Version {
  readonly time: ClusterTime
  readonly documents: readonly Buffer[]
  /** Ascending; the place of a cursor is a record id, so it survives writes. */
  readonly recordIds: readonly number[]
  readonly length: number
  /** Array bodies of batches already built, by position and size; only where the collection is `prepared`. */
  readonly batches: BatchCache | undefined
}

export interface CollectionSettings {
  readonly type: CollectionType
  /** What `listCollections` tells as `options`, as bytes. */
  readonly options: Buffer
  /** Index specifications, `_id_` included, as bytes. */
  readonly indexes: readonly Buffer[]
  readonly uuid: UUID
  /** Keep built batches, so that the same documents are served again at the speed of the socket. */
  readonly prepared: boolean
}

// A test that writes one document at a time must not keep all it ever wrote reachable.
const MOST_VERSIONS = 10_000

export class Collection {
  readonly database: string
  name: string
  readonly type: CollectionType
  readonly uuid: UUID
  readonly prepared: boolean
  readonly created: ClusterTime
  options: Buffer
  indexes: readonly Buffer[]
  dropped = false
  /** Of buckets: `timeseriesBucketsMayHaveMixedSchemaData`, which `collMod` sets and no list tells. */
  mixedSchema = false

  #versions: Version[]
  #documents: Buffer[] = []
  #recordIds: number[] = []
  #lastRecordId = 0
  #ids: Map<string, number> | undefined
  #bytes = 0

  constructor(database: string, name: string, settings: CollectionSettings, time: ClusterTime) {
    this.database = database
    this.name = name
    this.type = settings.type
    this.uuid = settings.uuid
    this.prepared = settings.prepared
    this.options = settings.options
    this.indexes = settings.indexes
    this.created = time
    this.#versions = [this.#version(time)]
  }

  get namespace(): string {
    return `${this.database}.${this.name}`
  }

  get current(): Version {
    return this.#versions.at(-1) ?? this.#version(this.created)
  }

  /** Bytes of BSON held now. */
  get bytes(): number {
    return this.#bytes
  }

  get capped(): boolean {
    return element(this.options, 'capped')?.value[0] === 1
  }

  /** What was there at `time`, or nothing where that is no longer (or was never) known. */
  at(time: ClusterTime): Version | undefined {
    return this.#versions.findLast((version) => version.time <= time)
  }

  /** Forgets what nobody may read any more. */
  forgetBefore(time: ClusterTime): void {
    const kept = this.#versions.findLastIndex((version) => version.time <= time)
    const tooMany = this.#versions.length - MOST_VERSIONS
    const forgotten = Math.max(kept, tooMany)
    if (forgotten > 0) this.#versions.splice(0, forgotten)
  }

  has(id: string): boolean {
    return this.#idIndex().has(id)
  }

  /** The place of the document with this `idKey` in the current version. */
  indexOfId(id: string): number | undefined {
    const recordId = this.#idIndex().get(id)
    return recordId === undefined ? undefined : indexAfter(this.current, recordId - 1)
  }

  /**
   * Holds what a version of another collection does, with the batches already built of it: many times the same content
   * costs its memory once.
   */
  hold(version: Version, time: ClusterTime): void {
    this.append(version.documents.slice(0, version.length), time)
    const { batches } = version
    this.#versions = [{ ...this.current, batches }]
  }

  /** Adds documents that have an `_id` not yet held. */
  append(documents: readonly Buffer[], time: ClusterTime): void {
    for (const document of documents) {
      this.#lastRecordId += 1
      this.#documents.push(document)
      this.#recordIds.push(this.#lastRecordId)
      this.#ids?.set(idKey(document), this.#lastRecordId)
      this.#bytes += document.length
    }
    this.#versions.push(this.#version(time))
    if (this.capped) this.#trim(time)
  }

  /** Replaces documents by their place in the current version; `undefined` removes one. */
  rewrite(changes: ReadonlyMap<number, Buffer | undefined>, time: ClusterTime): void {
    const documents: Buffer[] = []
    const recordIds: number[] = []
    for (const [index, document] of this.#documents.entries()) {
      const next = changes.has(index) ? changes.get(index) : document
      if (!next) continue
      documents.push(next)
      recordIds.push(this.#recordIds[index] ?? 0)
    }
    this.#documents = documents
    this.#recordIds = recordIds
    this.#ids = undefined
    this.#bytes = documents.reduce((sum, document) => sum + document.length, 0)
    this.#versions.push(this.#version(time))
  }

  /** The oldest documents make room. MongoDB manual, Capped Collections. */
  #trim(time: ClusterTime): void {
    const { size, max } = BSON.deserialize(this.options)
    const changes = new Map<number, undefined>()
    let bytes = this.#bytes
    for (const [index, document] of this.#documents.entries()) {
      const left = this.#documents.length - index
      const tooMany = typeof max === 'number' && max > 0 && left > max
      const tooBig = typeof size === 'number' && bytes > size && left > 1
      if (!tooMany && !tooBig) break
      changes.set(index, undefined)
      bytes -= document.length
    }
    if (changes.size === 0) return
    this.#versions.pop()
    this.rewrite(changes, time)
  }

  #version(time: ClusterTime): Version {
    return {
      time,
      documents: this.#documents,
      recordIds: this.#recordIds,
      length: this.#documents.length,
      batches: this.prepared ? new BatchCache(2 * this.#bytes) : undefined,
    }
  }

  // Built at the first write: a collection that is only read does not pay for it.
  #idIndex(): Map<string, number> {
    if (this.#ids) return this.#ids
    const ids = new Map<string, number>()
    for (const [index, document] of this.#documents.entries()) ids.set(idKey(document), this.#recordIds[index] ?? 0)
    this.#ids = ids
    return ids
  }
}

/** The place of the first document after the given record id. */
export function indexAfter(version: Version, recordId: number): number {
  let low = 0
  let high = version.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((version.recordIds[middle] ?? 0) <= recordId) low = middle + 1
    else high = middle
  }
  return low
}

/** Documents that stand still, as a cursor reads them. */
export function fixedVersion(documents: readonly Buffer[]): Version {
  return {
    time: 0n,
    documents,
    recordIds: documents.map((_document, index) => index + 1),
    length: documents.length,
    batches: undefined,
  }
}
