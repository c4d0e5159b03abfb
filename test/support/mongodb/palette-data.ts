import { BSON, type Document } from 'mongodb'
import { allTypesPlans } from './palette-all-types.ts'
import { type Kind, makeDocument } from './palette-documents.ts'
import { objectIds, seededRandom } from './random.ts'

/**
 * Data in the manner of Palette's three databases, the same for the same options, for any server.
 * The databases and `hubbledb.config` with its systemconfig document are Palette's own; the other collections are
 * plausible, not known.
 */
export interface PaletteDataOptions {
  /** Default: 24. */
  readonly collections?: number
  /** BSON bytes of all documents together, kept to within a few percent. Default: 8 MiB. */
  readonly bytes?: number
  /** Documents in all, about; the sizes follow. Default: one for every 1,200 bytes. */
  readonly documents?: number
  /** Bytes of the one very large document, taken from `bytes`; at most 8 MiB. Default: none. */
  readonly largestDocument?: number
  /** Adds collections, indexes and options of every kind, and documents of every type. */
  readonly allTypes?: boolean
  readonly seed?: string
}

export interface PaletteCollection {
  readonly db: string
  readonly collection: string
  /** For `createCollection`; empty for a plain one. */
  readonly options: Document
  /** For `createIndexes`, beside `_id_`. */
  readonly indexes: readonly { readonly key: Document; readonly name: string; readonly [option: string]: unknown }[]
  /** Where the documents go if not into the collection itself: the buckets of a time series. */
  readonly into?: string
  /** Makes them anew each time. */
  documents(): Iterable<Buffer>
}

interface Plan {
  readonly db: string
  readonly collection: string
  readonly kind: Kind
  /** Share of the bytes (of what kinds that can grow get) and of the documents. */
  readonly weight: readonly [bytes: number, documents: number]
}

const MAIN = 'hubbledb'
const SERIES = 'hubble_timeseriesdb'
const ARCHIVE = 'hubble_archivedb'

// In the order they are taken when fewer are asked for: each database is there from three on.
const PLANS: readonly Plan[] = [
  { db: MAIN, collection: 'config', kind: 'config', weight: [1, 0.5] },
  { db: SERIES, collection: 'metrics', kind: 'sample', weight: [6, 40] },
  { db: ARCHIVE, collection: 'spectroclusters', kind: 'entity', weight: [6, 2] },
  { db: MAIN, collection: 'events', kind: 'event', weight: [24, 24] },
  { db: MAIN, collection: 'spectroclusters', kind: 'entity', weight: [16, 3] },
  { db: MAIN, collection: 'clusterprofiles', kind: 'entity', weight: [12, 1] },
  { db: MAIN, collection: 'projects', kind: 'entity', weight: [2, 1] },
  { db: MAIN, collection: 'registries', kind: 'entity', weight: [2, 1] },
  { db: MAIN, collection: 'packs', kind: 'entity', weight: [10, 1] },
  { db: MAIN, collection: 'cloudaccounts', kind: 'entity', weight: [2, 1] },
  { db: MAIN, collection: 'users', kind: 'entity', weight: [1, 1] },
  { db: MAIN, collection: 'machines', kind: 'entity', weight: [6, 3] },
  { db: MAIN, collection: 'audits', kind: 'event', weight: [8, 10] },
  { db: ARCHIVE, collection: 'events', kind: 'event', weight: [8, 8] },
  { db: MAIN, collection: 'tokens', kind: 'tiny', weight: [0.5, 8] },
  { db: MAIN, collection: 'teams', kind: 'entity', weight: [1, 0.5] },
  { db: MAIN, collection: 'roles', kind: 'entity', weight: [1, 0.5] },
  { db: MAIN, collection: 'workspaces', kind: 'entity', weight: [1, 0.5] },
  { db: MAIN, collection: 'edgehosts', kind: 'entity', weight: [3, 2] },
  { db: SERIES, collection: 'usage', kind: 'sample', weight: [2, 12] },
  { db: MAIN, collection: 'alerts', kind: 'event', weight: [2, 2] },
  { db: MAIN, collection: 'tenants', kind: 'entity', weight: [0.5, 0.2] },
  { db: MAIN, collection: 'clustertemplates', kind: 'entity', weight: [2, 0.5] },
  { db: MAIN, collection: 'apikeys', kind: 'tiny', weight: [0.2, 2] },
]

// What a kind weighs at least; below that a document does not shrink with its share.
const SMALLEST: Readonly<Record<Kind, number>> = { tiny: 70, sample: 150, event: 430, config: 700, entity: 700 }

/** Kinds that have a size of their own: more bytes only mean more documents. */
const FIXED = new Set<Kind>(['tiny', 'sample'])

export function paletteCollections(options: PaletteDataOptions = {}): readonly PaletteCollection[] {
  const bytes = options.bytes ?? 8 * 1024 * 1024
  const largest = Math.min(options.largestDocument ?? 0, 8 * 1024 * 1024)
  const seed = options.seed ?? 'palette'
  const plans = plansFor(options.collections ?? 24)
  const shares = sharesOf(plans, bytes - largest, options.documents ?? Math.ceil(bytes / 1200))
  const made = plans.map((plan, index): PaletteCollection => {
    const share = shares[index] ?? { bytes: 0, documents: 0 }
    return {
      db: plan.db,
      collection: plan.collection,
      options: {},
      indexes: indexesOf(plan.kind),
      documents: () => generate(plan, share, index === 0 ? largest : 0, seed),
    }
  })
  return options.allTypes ? [...made, ...allTypesPlans(seed)] : made
}

interface Share {
  readonly bytes: number
  readonly documents: number
}

/** Kinds of a fixed size get their documents first; what bytes are left make the documents of the others. */
function sharesOf(plans: readonly Plan[], bytes: number, documents: number): readonly Share[] {
  const all = plans.reduce((sum, plan) => sum + plan.weight[1], 0)
  const counts = plans.map((plan) => (documents * plan.weight[1]) / all)
  const fixed = plans.map((plan, index) => (FIXED.has(plan.kind) ? (counts[index] ?? 0) * SMALLEST[plan.kind] : 0))
  const left = bytes - fixed.reduce((sum, each) => sum + each, 0)
  const growing = plans.reduce((sum, plan) => sum + (FIXED.has(plan.kind) ? 0 : plan.weight[0]), 0)
  return plans.map((plan, index) => ({
    documents: counts[index] ?? 0,
    bytes: FIXED.has(plan.kind) ? (fixed[index] ?? 0) : (left * plan.weight[0]) / growing,
  }))
}

function plansFor(count: number): readonly Plan[] {
  return Array.from({ length: count }, (_, index) => {
    const plan = PLANS[index % PLANS.length] ?? { db: MAIN, collection: 'config', kind: 'config', weight: [1, 1] }
    const round = Math.floor(index / PLANS.length)
    return round === 0 ? plan : { ...plan, collection: `${plan.collection}_${round + 1}` }
  })
}

function* generate(plan: Plan, share: Share, largest: number, seed: string): Generator<Buffer> {
  const random = seededRandom(`${seed}/${plan.db}/${plan.collection}`)
  const nextId = objectIds(random, 1_767_225_600)
  const average = Math.max(share.bytes / Math.max(1, share.documents), SMALLEST[plan.kind])
  let left = share.bytes
  for (let index = 0; left > 0; index++) {
    // Most are smaller than the average and a few are much larger, as documents are.
    const spread = FIXED.has(plan.kind) ? 1 : random.chance(0.1) ? 4 : 0.66
    const bytes = Math.min(average * spread, Math.max(left, SMALLEST[plan.kind]))
    const document = serialize(makeDocument(plan.kind, { random, nextId, index, bytes }))
    left -= document.length
    yield document
  }
  if (largest > 0) yield serialize(makeDocument('entity', { random, nextId, index: 1_000_000, bytes: largest }))
}

function serialize(document: Document): Buffer {
  return Buffer.from(BSON.serialize(document))
}

function indexesOf(kind: Kind): PaletteCollection['indexes'] {
  if (kind === 'tiny') return []
  if (kind === 'sample') return [{ key: { resource: 1, at: -1 }, name: 'resource_1_at_-1' }]
  const byUid = {
    key: { 'metadata.uid': 1 },
    name: 'metadata.uid_1',
    sparse: true,
    ...(kind === 'event' ? {} : UNIQUE),
  }
  return [byUid, { key: { 'aclmeta.tenantUid': 1, 'metadata.name': 1 }, name: 'aclmeta.tenantUid_1_metadata.name_1' }]
}

const UNIQUE = { unique: true }
