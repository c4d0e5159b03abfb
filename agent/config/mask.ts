import { isMap, isScalar, isSeq, type Node } from 'yaml'
import type { Path } from './document.ts'
import { schemaAt } from './json-schema.ts'

/** A quoted line that is longer helps nobody. */
const LONGEST_LINE = 200

interface Span {
  readonly start: number
  readonly end: number
  readonly shown: boolean
}

/**
 * Gives lines as they may be shown: of the values, only those that stand where the schema knows an attribute that is
 * not sensitive; all others become `*` of the same length, so that carets still fit. Comments are left out.
 */
export function createLineMask(root: Node | null, text: string): (line: number) => string | undefined {
  const lines = text.split('\n')
  const offsets: number[] = []
  let offset = 0
  for (const line of lines) {
    offsets.push(offset)
    offset += line.length + 1
  }
  let spans: readonly Span[] | undefined
  return (number) => {
    const line = lines[number - 1]
    const start = offsets[number - 1]
    if (line === undefined || start === undefined || line.length > LONGEST_LINE) return undefined
    spans ??= collectSpans(root)
    return maskLine(line, start, spans)
  }
}

function collectSpans(root: Node | null): readonly Span[] {
  const spans: Span[] = []
  const add = (node: Node | null, shown: boolean): void => {
    if (node?.range) spans.push({ start: node.range[0], end: node.range[1], shown })
  }
  const walk = (node: Node | null, path: Path): void => {
    if (isMap<Node, Node | null>(node)) {
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : ''
        add(key, keyMayBeShown(path, name, value))
        walk(value, [...path, name])
      }
    } else if (isSeq<Node>(node)) node.items.forEach((item, index) => void walk(item, [...path, index]))
    else if (isScalar(node)) add(node, mayBeShown(path, node.value))
  }
  walk(root, [])
  return spans
}

/** Whether the value at a path may be quoted. */
export function mayBeShown(path: Path, value: unknown): boolean {
  const schema = schemaAt(path)
  if (!schema || schema.sensitive || schema.type === 'object' || schema.type === 'array') return false
  // Of a choice, a word that could be one: anything else is a value that lost its place.
  if (schema.enum && !/^[\w.:-]{1,24}$/.test(String(value))) return false
  // An address may have been given with a user and a password in it.
  return !(typeof value === 'string' && /\/\/[^/]*@/.test(value))
}

/** A key without a value, where no key belongs, is likely a value itself: `password: { hunter2 }`. */
function keyMayBeShown(path: Path, name: string, value: Node | null): boolean {
  if (name === '$env' || name === '$file') return true
  if (shownKey(name) !== name) return false
  const { reference, properties, additionalProperties } = schemaAt(path) ?? {}
  if (!reference && (properties !== undefined || typeof additionalProperties === 'object')) return true
  return isMap(value) || isSeq(value) || (isScalar(value) && value.value !== null)
}

/** A key as it may stand in a message: what does not look like one may be a value that lost its place. */
export function shownKey(name: string): string {
  return /^(\$?[A-Za-z_][\w .-]{0,63}|<<)$/.test(name) ? name : '*****'
}

function maskLine(line: string, lineStart: number, spans: readonly Span[]): string {
  const here = spans.filter(({ start, end }) => start < lineStart + line.length && end > lineStart)
  let masked = ''
  for (let index = 0; index < line.length; index += 1) {
    const at = lineStart + index
    const character = line.charAt(index)
    const span = here.find(({ start, end }) => at >= start && at < end)
    if (!span && character === '#' && (index === 0 || /\s/.test(line.charAt(index - 1)))) break
    if (/\s/.test(character)) masked += ' '
    else if (span ? span.shown : /[-{}[\],:?|>]/.test(character)) masked += character
    else masked += '*'
  }
  return masked.trimEnd()
}
