import { parseList } from 'basic-ftp'
import { Failure } from '../../core/errors.ts'

/** What stands in a folder. Links, devices and the like are left out: they are none of ours, and may lead anywhere. */
export interface Listed {
  readonly name: string
  readonly kind: 'file' | 'folder'
  readonly sizeBytes: number
  readonly modified?: Date
}

/**
 * The lines of a whole MLSD listing (RFC 3659, section 7): `type=file;size=12;modify=20260101000000; name`. Rejects
 * what it cannot read, where basic-ftp leaves it out: a backup that is not seen is a backup that is not kept.
 */
export function parseMachineListing(text: string): Listed[] {
  const listed = linesOf(text).flatMap((line): Listed[] => {
    const [, packed, name] = /^((?:[^;=\s]+=[^;]*;)+) (.+)$/.exec(line) ?? []
    if (packed === undefined || name === undefined) throw unreadable(line)
    const facts = new Map(packed.split(';').map((fact) => splitFact(fact)))
    const type = facts.get('type')?.toLowerCase()
    if (type === undefined) throw unreadable(line)
    if (!isOwnName(name) || (type !== 'file' && type !== 'dir')) return []
    if (type === 'dir') return [{ name, kind: 'folder', sizeBytes: 0 }]
    const size = facts.get('size')
    if (size === undefined || !/^\d+$/.test(size)) throw unreadable(line)
    const modified = dateOf(facts.get('modify'))
    return [{ name, kind: 'file', sizeBytes: Number(size), ...(modified === undefined ? {} : { modified }) }]
  })
  return distinct(listed)
}

/** The lines of a whole LIST, in one of the formats that basic-ftp knows. Their times have no zone, and are left out. */
export function parsePlainListing(text: string): Listed[] {
  const listed = linesOf(text).flatMap((line): Listed[] => {
    if (/^total\s/i.test(line)) return []
    const entry = parsePlainLine(line)
    if (!entry || entry.isSymbolicLink || /^[bcps]/.test(line) || !isOwnName(entry.name)) return []
    if (entry.isDirectory) return [{ name: entry.name, kind: 'folder', sizeBytes: 0 }]
    if (!entry.isFile || !Number.isSafeInteger(entry.size)) throw unreadable(line)
    return [{ name: entry.name, kind: 'file', sizeBytes: entry.size }]
  })
  return distinct(listed)
}

/** Line by line: basic-ftp decides by the last one how all are read, and passes over those it cannot read. */
function parsePlainLine(line: string) {
  try {
    const [entry] = parseList(line)
    if (entry || /\s\.\.?$/.test(line)) return entry
  } catch {
    // Told below with the line.
  }
  throw unreadable(line)
}

/** A server that names a file twice has not listed one state of the folder: what is counted by it would be wrong. */
function distinct(listed: readonly Listed[]): Listed[] {
  const names = new Set<string>()
  for (const { name } of listed) {
    if (names.has(name)) {
      throw new Failure(`the listing names ${JSON.stringify(name)} twice`, { code: 'unavailable', retryable: true })
    }
    names.add(name)
  }
  return [...listed]
}

function linesOf(text: string): string[] {
  if (text !== '' && !text.endsWith('\n')) {
    throw new Failure('the listing ends in the middle of a line', { code: 'unreachable', retryable: true })
  }
  return text.split(/\r?\n/).filter((line) => line !== '')
}

function splitFact(fact: string): [string, string] {
  const at = fact.indexOf('=')
  return [fact.slice(0, at).toLowerCase(), fact.slice(at + 1)]
}

/** Servers list the folder itself, the one above it, and targets of links with their whole paths. */
function isOwnName(name: string): boolean {
  return name !== '.' && name !== '..' && !name.includes('/')
}

/** `YYYYMMDDhhmmss`, UTC, with or without a fraction. */
export function dateOf(fact: string | undefined): Date | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(fact ?? '') ?? []
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function unreadable(line: string): Failure {
  return new Failure(`a line of the listing cannot be read: ${JSON.stringify(line.slice(0, 200))}`, {
    code: 'unsupported',
    hint: 'Switch the server to Unix-style listings, or to one that knows MLSD.',
  })
}
