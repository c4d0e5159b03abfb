import { ObjectId } from 'mongodb'

/** Numbers that look random and are the same every time. Not for secrets. */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number
  /** True with the given probability. */
  chance(probability: number): boolean
  pick<T>(values: readonly [T, ...T[]]): T
  /** Lower-case hexadecimal digits. */
  hex(digits: number): string
}

/** mulberry32 (Tommy Ettinger, public domain): 32 bits of state are plenty for test data. */
export function seededRandom(seed: string): Random {
  let state = hash(seed)
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: (values) => values[between(0, values.length - 1)] ?? values[0],
    hex(digits) {
      let text = ''
      while (text.length < digits) text += between(0, 0xffffff).toString(16).padStart(6, '0')
      return text.slice(0, digits)
    },
  }
}

/** ObjectIds as one busy process makes them: seconds, five fixed bytes, a counter. */
export function objectIds(random: Random, startSeconds: number): () => ObjectId {
  const machine = random.hex(10)
  let counter = random.between(0, 0xffff)
  let seconds = startSeconds
  return () => {
    counter += 1
    if (random.chance(0.2)) seconds += random.between(1, 90)
    const bytes = Buffer.from(`00000000${machine}000000`, 'hex')
    bytes.writeUInt32BE(seconds)
    bytes.writeUIntBE(counter & 0xffffff, 9, 3)
    return new ObjectId(bytes)
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return value
}
