import { collectionArgument, isRecord, numberArgument } from '../arguments.ts'
import { fixedVersion } from '../collection.ts'
import type { BatchCommand, Context, FieldsCommand } from '../context.ts'
import type { Batch, CursorQuery } from '../cursors.ts'
import type { Fields } from '../encode.ts'
import { CommandError, notPlayed } from '../errors.ts'
import { compileFilter } from '../match.ts'
import { compileSort } from '../order.ts'
import { compileProjection } from '../projection.ts'
import { embedded } from '../raw-bson.ts'
import { documentsOf, readFrom } from '../reading.ts'
import type { Request } from '../wire.ts'

/** Documents in a first batch when the client asks for no number. MongoDB manual, find, "batchSize". */
export const FIRST_BATCH = 101

export const readBatchCommands: Readonly<Record<string, BatchCommand>> = { find, getMore }

export const readCommands: Readonly<Record<string, FieldsCommand>> = { count, killCursors }

const NOT_PLAYED = ['tailable', 'awaitData', 'min', 'max', 'returnKey', 'showRecordId']

function find(request: Request, context: Context): Batch {
  for (const option of NOT_PLAYED) {
    if (request.fields[option]) throw notPlayed(`find with ${option}`)
  }
  const source = readFrom(request, context)
  const filter = compileFilter(embedded(request.body, 'filter'))
  const project = compileProjection(embedded(request.body, 'projection'))
  const query: CursorQuery = {
    namespace: `${request.database}.${collectionArgument(request)}`,
    from: sorted(request, source),
    ...(source.time === undefined ? {} : { snapshotTime: source.time }),
    ...(filter ? { matches: filter } : {}),
    ...(project ? { project } : {}),
    skip: numberArgument(request, 'skip') ?? 0,
    limit: numberArgument(request, 'limit') ?? 0,
    noTimeout: request.fields['noCursorTimeout'] === true,
    ...sessionOf(request, context),
  }
  return context.cursors.open(query, {
    batchSize: numberArgument(request, 'batchSize') ?? FIRST_BATCH,
    single: request.fields['singleBatch'] === true,
  })
}

function sorted(request: Request, source: ReturnType<typeof readFrom>): CursorQuery['from'] {
  const sort = embedded(request.body, 'sort')
  if (!sort || sort.length <= 5) return source.from
  const directions = Object.entries(isRecord(request.fields['sort']) ? request.fields['sort'] : {})
  const names = directions.map(([name, direction]): [string, number] => [name, Number(direction) < 0 ? -1 : 1])
  const documents = [...documentsOf(source.from)]
  if (names[0]?.[0] === '$natural') return names[0][1] > 0 ? source.from : fixedVersion(documents.reverse())
  return fixedVersion(documents.sort(compileSort(names)))
}

function getMore(request: Request, context: Context): Batch {
  const id = numberArgument(request, 'getMore')
  if (id === undefined) throw new CommandError(43, 'cursor id is not a number the double ever gave')
  // MongoDB manual, getMore, "maxTimeMS": only cursors that wait for data take one.
  if (numberArgument(request, 'maxTimeMS')) {
    throw new CommandError(2, 'cannot set maxTimeMS on getMore command for a non-awaitData cursor')
  }
  const asked = numberArgument(request, 'batchSize') ?? 0
  const namespace = `${request.database}.${collectionArgument(request)}`
  return context.cursors.next(BigInt(id), namespace, asked > 0 ? asked : Number.POSITIVE_INFINITY)
}

function sessionOf(request: Request, { sessions }: Context): { readonly session?: string } {
  const session = sessions.use(request)
  return session === undefined ? {} : { session }
}

/** MongoDB manual, killCursors. */
function killCursors(request: Request, { cursors }: Context): Fields {
  const asked = request.fields['cursors']
  const ids = Array.isArray(asked) ? asked.map((id) => BigInt(String(id))) : []
  const cursorsKilled = ids.filter((id) => cursors.kill(id))
  const cursorsNotFound = ids.filter((id) => !cursorsKilled.includes(id))
  return { cursorsKilled, cursorsNotFound, cursorsAlive: [], cursorsUnknown: [] }
}

/** MongoDB manual, count. */
function count(request: Request, context: Context): Fields {
  const source = readFrom(request, context)
  const filter = compileFilter(embedded(request.body, 'query'))
  const documents = documentsOf(source.from)
  const matching = filter ? documents.filter(filter).length : documents.length
  const after = Math.max(0, matching - (numberArgument(request, 'skip') ?? 0))
  const limit = Math.abs(numberArgument(request, 'limit') ?? 0)
  return { n: limit > 0 ? Math.min(after, limit) : after }
}
