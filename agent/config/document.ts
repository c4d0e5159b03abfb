import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLMap,
} from 'yaml'
import type { Diagnostic, SourceRange } from '../core/diagnostics.ts'
import { limited } from './limited.ts'
import { createLineMask } from './mask.ts'
import { explainSyntax } from './syntax.ts'

export type Path = readonly (string | number)[]

/** A YAML text that could be read, and where everything in it stands. */
export interface ConfigDocument {
  readonly value: unknown
  /** Whether something is written at this path, be it null. */
  has(path: Path): boolean
  /** Where the value, or the key, at this path stands; of what is not written, its nearest written ancestor. */
  rangeOf(path: Path, part: 'key' | 'value'): SourceRange
}

/** The API server limits a ConfigMap to 1 MiB, all its keys together. */
export const LARGEST_BYTES = 1024 * 1024

export const TOO_LARGE = {
  summary: 'File too large',
  detail: 'The configuration is larger than 1 MiB, the most a ConfigMap can hold.',
}

const STRICT = {
  prettyErrors: false,
  strict: true,
  stringKeys: true,
  merge: false,
  // The parser's check compares every key with every other one: two minutes for a file of 1 MiB. There is our own.
  uniqueKeys: false,
} as const

/** One strict YAML 1.2 document. Without one, the diagnostics say why; they quote no text, since none is known to be safe. */
export function readDocument(
  source: string,
  file: string,
): { document?: ConfigDocument; diagnostics: readonly Diagnostic[] } {
  const text = source.replace(/^\uFEFF/, '')
  const refused = refuseWhole(text)
  if (refused)
    return { diagnostics: [{ severity: 'error', ...refused, range: { file, line: 1, column: 1, length: 1 } }] }
  const lines = new LineCounter()
  const place = (offset: number, length = 1): SourceRange => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col, length }
  }
  try {
    const parsed = parseDocument(text, { ...STRICT, lineCounter: lines })
    const diagnostics = syntaxErrors(parsed, place)
    const told = new Set(diagnostics.map(({ range }) => range?.line))
    diagnostics.push(...refuseNodes(parsed, place).filter(({ range }) => !told.has(range?.line)))
    if (diagnostics.length > 0) return { diagnostics: limited(diagnostics) }
    return { document: createDocument(parsed, text, place), diagnostics }
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown
    // The stack is at its end: what nests deeper than the parser itself allows.
    return { diagnostics: [{ severity: 'error', ...explainSyntax('RESOURCE_EXHAUSTION'), range: place(0) }] }
  }
}

/** What the parser says of every line that comes after a bracket, quote or indentation that is wrong. */
const FOLLOWING: ReadonlySet<string> = new Set(
  (['UNEXPECTED_TOKEN', 'BAD_INDENT'] as const).map((code) => explainSyntax(code).detail),
)

/** Of each line the first: the others follow from it. */
function syntaxErrors({ errors, warnings }: Document.Parsed, place: (offset: number) => SourceRange): Diagnostic[] {
  const byLine = new Map<number, Diagnostic>()
  for (const { code, pos } of [...errors, ...warnings]) {
    const range = place(pos[0])
    const first = byLine.get(range.line)?.range?.column ?? Number.POSITIVE_INFINITY
    if (range.column < first) byLine.set(range.line, { severity: 'error', ...explainSyntax(code), range })
  }
  const found = [...byLine.values()].sort((a, b) => (a.range?.line ?? 0) - (b.range?.line ?? 0))
  return found.filter(({ detail }, index) => index === 0 || !FOLLOWING.has(detail))
}

function refuseWhole(text: string): { summary: string; detail: string } | undefined {
  if (Buffer.byteLength(text) > LARGEST_BYTES) return TOO_LARGE
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a binary file is known by
  if (/[\u0000-\u0008\u000e-\u001f\uFFFD]/.test(text)) {
    return { summary: 'Not a text file', detail: 'The file holds bytes that are no UTF-8 text.' }
  }
  return undefined
}

/** Maps, lists and the pairs in them, one inside another: no configuration comes near, and every later walk is safe. */
const DEEPEST = 100

/** What YAML allows and a configuration has no use for. */
function refuseNodes(parsed: Document.Parsed, place: (offset: number, length?: number) => SourceRange): Diagnostic[] {
  const found: Diagnostic[] = []
  const refuse = (node: Node, summary: string, detail: string): void => {
    found.push({ severity: 'error', summary, detail, range: place(node.range?.[0] ?? 0) })
  }
  visit(parsed, {
    Node(_, node, path) {
      if (path.length > DEEPEST) {
        refuse(node, 'Invalid YAML', explainSyntax('RESOURCE_EXHAUSTION').detail)
        return visit.BREAK
      }
      if (isMap(node)) {
        for (const { key } of node.items) {
          // JavaScript would lose it without a word.
          if (isScalar(key) && key.value === '__proto__') refuse(key, 'Invalid name', 'Nothing can have this name.')
        }
        for (const { key, first } of repeatedKeys(node)) {
          const { line } = place(first.range?.[0] ?? 0)
          refuse(key, 'Duplicate key', `This key stands in the same map on line ${line} already. Remove one of them.`)
        }
      }
      if (isAlias(node)) refuse(node, 'Alias in the configuration', explainSyntax('BAD_ALIAS').detail)
      else if (node.tag !== undefined)
        refuse(node, 'Tag in the configuration', 'YAML tags (!name) are not read here. Remove the tag.')
      return undefined
    },
  })
  return found
}

function* repeatedKeys({ items }: YAMLMap): Generator<{ key: Node; first: Node }> {
  const seen = new Map<unknown, Node>()
  for (const { key } of items) {
    if (!isScalar(key)) continue
    const first = seen.get(key.value)
    if (first) yield { key, first }
    else seen.set(key.value, key)
  }
}

function createDocument(
  parsed: Document.Parsed,
  text: string,
  place: (offset: number, length?: number) => SourceRange,
): ConfigDocument {
  const safeLine = createLineMask(parsed.contents, text)
  const withSource = (range: SourceRange): SourceRange => {
    const source = safeLine(range.line)
    return source === undefined ? range : { ...range, source }
  }
  return {
    value: parsed.toJS(),
    has: (path) => find(parsed.contents, path).length === path.length,
    rangeOf(path, part) {
      const pairs = find(parsed.contents, path)
      const nearest = pairs.at(-1)
      if (!nearest) return withSource(place(parsed.contents?.range?.[0] ?? 0))
      const complete = pairs.length === path.length
      const { start, end } = complete && part === 'value' ? valueSpan(nearest) : keySpan(nearest)
      const line = text.slice(start, end).split('\n', 1)[0] ?? ''
      return withSource(place(start, Math.max(1, line.trimEnd().length)))
    },
  }
}

interface Step {
  /** Absent in a list. */
  readonly key?: Node
  readonly value: Node | null
}

/** The written part of a path, one step for each of its elements. */
function find(root: Node | null, path: Path): Step[] {
  const steps: Step[] = []
  let node = root
  for (const part of path) {
    const step = child(node, part)
    if (!step) break
    steps.push(step)
    node = step.value
  }
  return steps
}

function child(node: Node | null, part: string | number): Step | undefined {
  if (isSeq<Node>(node)) {
    const value = node.items[Number(part)]
    return value && { value }
  }
  if (!isMap<Node, Node | null>(node)) return undefined
  const pair = node.items.find(
    (item: Pair<Node, Node | null>) => isScalar(item.key) && String(item.key.value) === String(part),
  )
  return pair && { key: pair.key, value: pair.value }
}

function keySpan({ key, value }: Step) {
  return span(key ?? value)
}

/** A map's or list's own span would cover everything in it: its key says better what is meant. */
function valueSpan({ key, value }: Step) {
  const isEmpty = isScalar(value) && value.range?.[0] === value.range?.[1]
  return span(value === null || isEmpty || !isScalar(value) ? (key ?? value) : value)
}

function span(node: Node | null) {
  const [start = 0, end = start] = node?.range ?? []
  return { start, end }
}
