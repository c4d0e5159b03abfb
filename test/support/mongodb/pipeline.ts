import { BSON } from 'mongodb'
import { isRecord } from './arguments.ts'
import { encode } from './encode.ts'
import { CommandError, notPlayed } from './errors.ts'
import { compileFilter } from './match.ts'
import { compileSort } from './order.ts'
import { compileProjection } from './projection.ts'
import { BSON_TYPE, elements, type RawElement } from './raw-bson.ts'

/** Runs the stages that drivers and tools send by themselves; refuses the others. MongoDB manual, Aggregation Stages. */
export function runPipeline(documents: readonly Buffer[], stages: readonly Buffer[]): readonly Buffer[] {
  let current = documents
  for (const stage of stages) {
    const [only] = elements(stage)
    if (!only) throw new CommandError(40323, 'A pipeline stage specification object must contain exactly one field.')
    current = runStage(current, only)
  }
  return current
}

function runStage(documents: readonly Buffer[], stage: RawElement): readonly Buffer[] {
  const argument = argumentOf(stage)
  switch (stage.name) {
    case '$match': {
      const matches = compileFilter(stage.value)
      return matches ? documents.filter(matches) : documents
    }
    case '$project': {
      const project = compileProjection(stage.value)
      return project ? documents.map(project) : documents
    }
    case '$sort': {
      const names = Object.entries(isRecord(argument) ? argument : {})
      return documents.toSorted(compileSort(names.map(([name, direction]) => [name, Number(direction)])))
    }
    case '$skip':
      return documents.slice(Number(argument))
    case '$limit':
      return documents.slice(0, Number(argument))
    case '$count':
      return documents.length === 0 ? [] : [encode({ [String(argument)]: documents.length })]
    case '$group':
      return group(documents, argument)
    default:
      throw new CommandError(40324, `Unrecognized pipeline stage name: '${stage.name}'`)
  }
}

/** The one grouping a driver sends by itself: `{ _id: constant, n: { $sum: 1 } }`, for countDocuments. */
function group(documents: readonly Buffer[], argument: unknown): readonly Buffer[] {
  const { _id, ...sums } = isRecord(argument) ? argument : {}
  const isCount = Object.values(sums).every((sum) => isRecord(sum) && sum['$sum'] === 1)
  if (!isCount || typeof _id === 'string' || isRecord(_id)) throw notPlayed('$group other than a count')
  if (documents.length === 0) return []
  return [encode({ _id, ...Object.fromEntries(Object.keys(sums).map((name) => [name, documents.length])) })]
}

function argumentOf({ type, value }: RawElement): unknown {
  if (type === BSON_TYPE.document) return BSON.deserialize(value)
  if (type === BSON_TYPE.string) return value.toString('utf8', 4, value.length - 1)
  if (type === BSON_TYPE.int32) return value.readInt32LE(0)
  if (type === BSON_TYPE.int64) return Number(value.readBigInt64LE(0))
  return type === BSON_TYPE.double ? value.readDoubleLE(0) : undefined
}
