import { closestMatch } from 'leven'

/** ` Did you mean "password"?`, or nothing when no candidate is near. */
export function suggest(found: string, candidates: readonly string[]): string {
  const near = closestMatch(found.slice(0, 64), candidates, { maxDistance: Math.max(1, Math.floor(found.length / 3)) })
  return near === undefined ? '' : ` Did you mean "${near}"?`
}

/** `a, b or c` */
export function alternatives(values: readonly unknown[]): string {
  const texts = values.map((value) => (typeof value === 'string' ? `"${value}"` : String(value)))
  const last = texts.pop() ?? ''
  return texts.length === 0 ? last : `${texts.join(', ')} or ${last}`
}
