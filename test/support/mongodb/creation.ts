import { BSON, type UUID } from 'mongodb'
import type { Collection } from './collection.ts'
import { encode } from './encode.ts'
import { CommandError } from './errors.ts'
import { documentOf, element, elements, embedded } from './raw-bson.ts'
import type { Store } from './store.ts'

/** What a collection can be created with. MongoDB manual, create. */
const OPTIONS = new Set([
  'capped',
  'size',
  'max',
  'storageEngine',
  'validator',
  'validationLevel',
  'validationAction',
  'indexOptionDefaults',
  'viewOn',
  'pipeline',
  'collation',
  'timeseries',
  'expireAfterSeconds',
  'clusteredIndex',
  'changeStreamPreAndPostImages',
  'encryptedFields',
])

/** What every command may carry, and two options of `create` that are not kept among the options. */
const NOT_OPTIONS = new Set([
  'create',
  'idIndex',
  'autoIndexId',
  'temp',
  '$db',
  'lsid',
  'txnNumber',
  '$clusterTime',
  '$readPreference',
  'writeConcern',
  'readConcern',
  'comment',
  'maxTimeMS',
  'apiVersion',
  'apiStrict',
  'apiDeprecationErrors',
])

/** Makes a collection, view or time series from a `create` command; its options are kept as the bytes they came in. */
export function createCollection(
  store: Store,
  database: string,
  name: string,
  command: Buffer,
  settings: { readonly uuid?: UUID; readonly prepared?: boolean } = {},
): Collection {
  const parts: Buffer[] = []
  for (const { name: option, bytes } of elements(command)) {
    if (OPTIONS.has(option)) parts.push(bytes)
    else if (!NOT_OPTIONS.has(option))
      throw new CommandError(40415, `BSON field 'create.${option}' is an unknown field.`)
  }
  const options = documentOf(parts)
  if (element(options, 'viewOn')) return createView(store, database, name, options)
  if (embedded(options, 'timeseries') && !name.startsWith('system.buckets.')) {
    return createTimeseries(store, database, name, options)
  }
  if (element(options, 'capped')?.value[0] === 1 && !element(options, 'size')) {
    throw new CommandError(72, "the 'size' field is required when 'capped' is true")
  }
  return store.create(database, name, { ...settings, options })
}

/** Views are defined by documents of `system.views`. MongoDB manual, Views. */
function createView(store: Store, database: string, name: string, options: Buffer): Collection {
  const view = store.create(database, name, { type: 'view', options })
  const definitions = store.ensure(database, 'system.views')
  const id = encode({ _id: view.namespace })
  store.insert(definitions, [documentOf([id.subarray(4, -1), options.subarray(4, -1)])])
  return view
}

/**
 * A time series is a view-like entry over a clustered collection of buckets that holds the data.
 * MongoDB manual, Time Series Collections.
 */
function createTimeseries(store: Store, database: string, name: string, options: Buffer): Collection {
  const timeseries = embedded(options, 'timeseries') ?? encode({})
  const expiry = element(options, 'expireAfterSeconds')
  const whole = completed(timeseries)
  const others = [...elements(options)].filter((option) => option.name !== 'timeseries').map(({ bytes }) => bytes)
  const series = store.create(database, name, {
    type: 'timeseries',
    options: documentOf([encode({ timeseries: whole }).subarray(4, -1), ...others]),
  })
  store.create(database, `system.buckets.${name}`, {
    options: encode({
      validator: { $jsonSchema: { bsonType: 'object', required: ['_id', 'control', 'data'] } },
      clusteredIndex: true,
      ...(expiry ? { expireAfterSeconds: expiry.value.readInt32LE(0) } : {}),
      timeseries: whole,
    }),
  })
  return series
}

/** Of `granularity` and the span that belongs to it both are listed, whichever was given. */
function completed(timeseries: Buffer): Buffer {
  const given = BSON.deserialize(timeseries)
  if ('bucketMaxSpanSeconds' in given) return timeseries
  const granularity = typeof given['granularity'] === 'string' ? given['granularity'] : 'seconds'
  const added = { ...('granularity' in given ? {} : { granularity }), bucketMaxSpanSeconds: SPANS.get(granularity) }
  return documentOf([timeseries.subarray(4, -1), encode(added).subarray(4, -1)])
}

/** Seconds a bucket spans at most. MongoDB manual, Set Granularity for Time Series Data. */
const SPANS = new Map([
  ['seconds', 3600],
  ['minutes', 86_400],
  ['hours', 2_592_000],
])
