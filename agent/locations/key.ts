import { Failure } from '../core/errors.ts'
import type { Entry } from './location.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these break FTP commands and XML listings
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/

/** Refuses every key that is not plainly below the location's folder. */
export function checkKey(key: string): void {
  const parts = key.split('/')
  const harmless = parts.every((part) => part !== '' && part !== '.' && part !== '..')
  if (harmless && !CONTROL_CHARACTER.test(key)) return
  throw new Failure(`${JSON.stringify(key)} is not a valid key`, { code: 'internal' })
}

/** A prefix is empty, for everything, or the key of a folder and a `/`. */
export function checkPrefix(prefix: string): void {
  if (prefix === '') return
  if (!prefix.endsWith('/')) {
    throw new Failure(`the prefix ${JSON.stringify(prefix)} does not end in /`, { code: 'internal' })
  }
  checkKey(prefix.slice(0, -1))
}

export function sortEntries(entries: Entry[]): Entry[] {
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1))
}
