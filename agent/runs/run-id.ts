import { randomBytes } from 'node:crypto'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** Eight random lower-case base32 characters. */
export function createRunId(): string {
  return Array.from(randomBytes(8), (byte) => ALPHABET[byte & 31]).join('')
}
