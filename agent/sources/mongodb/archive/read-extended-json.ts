import { BSON } from 'mongodb'

/**
 * Extended JSON as values for the driver. Documents become maps, which the driver writes in their order; an object of
 * this language would put `9` before `10` whatever stood first.
 *
 * Throws a SyntaxError on what is not JSON.
 */
export function readExtendedJson(text: string): Map<string, unknown> {
  // Proves the syntax, so that what follows may trust it.
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new SyntaxError('not a document')
  const value = new Reader(text).value()
  if (!(value instanceof Map)) throw new SyntaxError('not a document')
  return value
}

/** The keys that make an object a value of another type (specification "MongoDB Extended JSON", version 2.1). */
const VALUES: ReadonlySet<string> = new Set([
  ...['$oid', '$symbol', '$numberInt', '$numberLong', '$numberDouble', '$numberDecimal', '$binary', '$uuid', '$code'],
  ...['$timestamp', '$regularExpression', '$dbPointer', '$date', '$minKey', '$maxKey', '$undefined'],
])
/** More than any definition needs, and little enough for a stack. */
const DEEPEST = 500

class Reader {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): unknown {
    this.#skip()
    const first = this.#text[this.#at]
    if (first === '{') return this.#nested(() => this.#document())
    if (first === '[') return this.#nested(() => this.#array())
    return BSON.EJSON.parse(this.#scalar(), { relaxed: false })
  }

  #nested<Value>(read: () => Value): Value {
    this.#depth += 1
    if (this.#depth > DEEPEST) throw new SyntaxError(`deeper than ${DEEPEST} levels`)
    const value = read()
    this.#depth -= 1
    return value
  }

  #document(): unknown {
    const start = this.#at
    const fields = new Map<string, unknown>()
    this.#at += 1
    for (this.#skip(); this.#text[this.#at] !== '}'; this.#skip()) {
      const name: string = JSON.parse(this.#scalar())
      this.#skip()
      this.#at += 1
      fields.set(name, this.value())
      this.#skip()
      if (this.#text[this.#at] === ',') this.#at += 1
      this.#skip()
    }
    this.#at += 1
    const [first] = fields.keys()
    if (first === undefined || !VALUES.has(first)) return fields
    const scope = fields.get('$scope')
    if (scope !== undefined)
      return new BSON.Code(
        String(fields.get('$code')),
        scope instanceof Map ? { ...Object.fromEntries(scope) } : undefined,
      )
    return BSON.EJSON.parse(this.#text.slice(start, this.#at), { relaxed: false })
  }

  #array(): unknown[] {
    const values: unknown[] = []
    this.#at += 1
    for (this.#skip(); this.#text[this.#at] !== ']'; this.#skip()) {
      values.push(this.value())
      this.#skip()
      if (this.#text[this.#at] === ',') this.#at += 1
    }
    this.#at += 1
    return values
  }

  /** A string, number, `true`, `false` or `null`, as it stands there. */
  #scalar(): string {
    const start = this.#at
    if (this.#text[start] === '"') {
      for (this.#at += 1; this.#text[this.#at] !== '"'; this.#at += 1) if (this.#text[this.#at] === '\\') this.#at += 1
      this.#at += 1
    } else {
      while (!/[\s,\]}]/.test(this.#text[this.#at] ?? ',')) this.#at += 1
    }
    return this.#text.slice(start, this.#at)
  }

  #skip(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1
  }
}
