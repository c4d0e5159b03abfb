import { BSON, type Document } from 'mongodb'
import type { PaletteCollection } from './palette-data.ts'
import { everyType } from './palette-documents.ts'
import { objectIds, seededRandom } from './random.ts'

const DB = 'hubbledb'

/** Collections that show what a server can hold beside plain documents: options, kinds and indexes of every sort. */
export function allTypesPlans(seed: string): readonly PaletteCollection[] {
  const none = (): Iterable<Buffer> => []
  return [
    { db: DB, collection: 'alltypes', options: {}, indexes: EVERY_INDEX, documents: () => everyTypes(seed, 50) },
    {
      db: DB,
      collection: 'validated',
      options: {
        validator: { $jsonSchema: { bsonType: 'object', required: ['int32'] } },
        validationLevel: 'moderate',
        validationAction: 'warn',
      },
      indexes: [],
      documents: () => everyTypes(`${seed}/validated`, 3),
    },
    {
      db: DB,
      collection: 'germans',
      options: { collation: { locale: 'de', strength: 2 } },
      indexes: [
        { key: { string: 1 }, name: 'string_1', collation: { locale: 'de', strength: 1 } },
        { key: { string: -1 }, name: 'inherited' },
        { key: { string: 1, int32: 1 }, name: 'simple', collation: { locale: 'simple' } },
      ],
      documents: () => everyTypes(`${seed}/germans`, 3),
    },
    {
      db: DB,
      collection: 'recent',
      options: { capped: true, size: 1_048_576, max: 1000 },
      indexes: [],
      documents: () => everyTypes(`${seed}/recent`, 20),
    },
    {
      db: DB,
      collection: 'clustered',
      options: { clusteredIndex: { key: { _id: 1 }, unique: true, name: 'by id' } },
      indexes: [],
      documents: () => everyTypes(`${seed}/clustered`, 3),
    },
    {
      db: 'hubble_timeseriesdb',
      collection: 'measurements',
      options: {
        timeseries: { timeField: 'at', metaField: 'source', granularity: 'minutes' },
        expireAfterSeconds: 86_400,
      },
      indexes: [],
      into: 'system.buckets.measurements',
      documents: () => buckets(seed, 5),
    },
    {
      db: DB,
      collection: 'running',
      options: { viewOn: 'spectroclusters', pipeline: [{ $match: { 'status.state': 'Running' } }] },
      indexes: [],
      documents: none,
    },
    {
      db: DB,
      collection: 'running_names',
      options: { viewOn: 'running', pipeline: [{ $project: { metadata: 1 } }] },
      indexes: [],
      documents: none,
    },
  ]
}

const EVERY_INDEX: PaletteCollection['indexes'] = [
  { key: { date: 1 }, name: 'ttl', expireAfterSeconds: 315_360_000 },
  { key: { int32: -1 }, name: 'partial', partialFilterExpression: { boolean: true } },
  { key: { string: 'text', symbol: 'text' }, name: 'words', weights: { string: 5 }, default_language: 'german' },
  { key: { string: 'hashed' }, name: 'hashed' },
  { key: { place: '2dsphere' }, name: 'place' },
  { key: { 'document.$**': 1 }, name: 'wildcard' },
  { key: { uuid: 1, boolean: -1 }, name: 'hidden', hidden: true, unique: false },
]

function* everyTypes(seed: string, count: number): Generator<Buffer> {
  const random = seededRandom(seed)
  const nextId = objectIds(random, 1_767_225_600)
  for (let index = 0; index < count; index++) yield serialize(everyType({ random, nextId, index, bytes: 0 }))
}

/** Buckets of one measurement each. MongoDB manual, Time Series Collections; the shape is that of control version 1. */
function* buckets(seed: string, count: number): Generator<Buffer> {
  const nextId = objectIds(seededRandom(`${seed}/buckets`), 1_767_225_600)
  for (let index = 0; index < count; index++) {
    const at = new Date(Date.UTC(2026, 0, 1, index))
    const [_id, value] = [nextId(), new BSON.Double(index)]
    yield serialize({
      _id,
      control: { version: 1, min: { _id, at, value }, max: { _id, at, value } },
      meta: `node-${index}`,
      data: { at: { 0: at }, _id: { 0: _id }, value: { 0: value } },
    })
  }
}

function serialize(document: Document): Buffer {
  return Buffer.from(BSON.serialize(document))
}
