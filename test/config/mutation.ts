import fc from 'fast-check'
import { isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml'
import { schemaAt } from '../../agent/config/json-schema.ts'

/** One change of a document; `at` and `to` choose among its maps and what is in them. */
interface Mutation {
  readonly kind: 'drop' | 'retype' | 'double' | 'move' | 'reorder'
  readonly at: number
  readonly to: number
  /** What stands there instead, of `retype`. */
  readonly value: unknown
}

export function mutation(value: fc.Arbitrary<unknown>): fc.Arbitrary<Mutation> {
  const kind = fc.constantFrom<Mutation['kind'][]>('drop', 'retype', 'double', 'move', 'reorder')
  return fc.record({ kind, at: fc.nat(), to: fc.nat(), value })
}

export function mutated(text: string, mutations: readonly Mutation[]): string {
  const parsed = parseDocument(text)
  for (const { kind, at, to, value } of mutations) {
    const maps = mapsOf(parsed.contents)
    const { items } = pick(maps, at).node
    if (items.length === 0) continue
    const index = at % items.length
    if (kind === 'drop') items.splice(index, 1)
    if (kind === 'reorder') items.reverse()
    if (kind === 'retype') pick(items, at).value = parsed.createNode(value)
    if (kind === 'double') items.push(pick(items, at))
    if (kind === 'move') {
      const target = pick(maps, to).node
      const moved = pick(items, at)
      if (mapsOf(moved.value).some(({ node }) => node === target)) continue
      items.splice(index, 1)
      target.items.push(moved)
    }
  }
  return parsed.toString({ verifyAliasOrder: false })
}

interface FoundMap {
  readonly node: YAMLMap
  readonly path: readonly string[]
  /** The schema lists its keys: they are no names of the operator's. */
  readonly known: boolean
}

export function mapsOf(node: unknown, path: readonly string[] = []): FoundMap[] {
  if (isSeq(node)) return sequence(node).flatMap((item, index) => mapsOf(item, [...path, String(index)]))
  if (!isMap(node)) return []
  const map: FoundMap = { node, path, known: node.items.length > 0 && schemaAt(path)?.properties !== undefined }
  return [map, ...node.items.flatMap(({ key, value }) => mapsOf(value, [...path, String(key)]))]
}

function sequence({ items }: YAMLSeq): readonly unknown[] {
  return items
}

export function pick<T>(from: readonly T[], at: number): T {
  const picked = from[at % from.length]
  if (picked === undefined) throw new Error('nothing to pick from')
  return picked
}
