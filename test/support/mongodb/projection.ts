import { BSON } from 'mongodb'
import { notPlayed } from './errors.ts'
import { documentOf, elements } from './raw-bson.ts'

/** Picks or leaves out top-level fields, without decoding them. MongoDB manual, find, "projection". */
export function compileProjection(projection: Buffer | undefined): ((document: Buffer) => Buffer) | undefined {
  if (!projection || projection.length <= 5) return undefined
  const named = new Map<string, boolean>()
  for (const [name, value] of Object.entries(BSON.deserialize(projection))) {
    if (name.includes('.') || (typeof value !== 'number' && typeof value !== 'boolean')) {
      throw notPlayed(`a projection with ${name}`)
    }
    named.set(name, Boolean(value))
  }
  const picks = [...named].some(([name, shown]) => name !== '_id' && shown) || [...named.values()].every(Boolean)
  const shows = (name: string): boolean => named.get(name) ?? (name === '_id' || !picks)
  return (document) =>
    documentOf(Array.from(elements(document)).flatMap(({ name, bytes }) => (shows(name) ? [bytes] : [])))
}
