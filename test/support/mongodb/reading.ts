import { collectionArgument } from './arguments.ts'
import type { ClusterTime } from './cluster-clock.ts'
import { type Collection, fixedVersion, type Version } from './collection.ts'
import type { Context } from './context.ts'
import { CommandError, notPlayed } from './errors.ts'
import { runPipeline } from './pipeline.ts'
import { element, embeddedArray } from './raw-bson.ts'
import { snapshotTime, versionAt } from './snapshot.ts'
import type { Request } from './wire.ts'

export interface ReadSource {
  readonly from: Version | Collection
  /** Set when it is a snapshot. */
  readonly time: ClusterTime | undefined
}

/** What a reading command is served from: the collection as it is, as it was at an instant, or what a view shows. */
export function readFrom(request: Request, context: Context): ReadSource {
  const time = snapshotTime(request, context)
  return { time, from: resolve(request.database, collectionArgument(request), time, context) }
}

export function documentsOf(from: Version | Collection): readonly Buffer[] {
  const version = 'current' in from ? from.current : from
  return version.documents.slice(0, version.length)
}

function resolve(
  database: string,
  name: string,
  time: ClusterTime | undefined,
  context: Context,
): Version | Collection {
  const collection = context.store.find(database, name)
  if (collection?.type === 'timeseries') throw notPlayed('reading measurements out of buckets')
  if (collection?.type === 'view') return view(collection, time, context)
  if (time === undefined) return collection ?? fixedVersion([])
  return versionAt(collection, { database, collection: name }, time, context) ?? fixedVersion([])
}

/** MongoDB manual, Views. */
function view(definition: Collection, time: ClusterTime | undefined, context: Context): Version {
  const viewOn = element(definition.options, 'viewOn')
  if (!viewOn) throw new CommandError(9, `${definition.namespace} has no viewOn`)
  const source = viewOn.value.toString('utf8', 4, viewOn.value.length - 1)
  const from = resolve(definition.database, source, time, context)
  return fixedVersion(runPipeline(documentsOf(from), embeddedArray(definition.options, 'pipeline')))
}
