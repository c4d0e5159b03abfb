import { randomBytes } from 'node:crypto'

const PATTERN = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z-[a-z2-7]{6}$/

/** `20261123T020000Z-k3x7qa`: the start in UTC and six random base32 characters. Sorts by time. */
export function createBackupId(at: Date): string {
  const time = at
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:]/g, '')
  return `${time}-${randomBase32(6)}`
}

/** The start that a backup id names; undefined when the text is no backup id. */
export function backupIdTime(id: string): Date | undefined {
  const match = PATTERN.exec(id)
  if (!match) return undefined
  const [, year, month, day, hour, minute, second] = match
  const time = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(time.getTime()) ? undefined : time
}

export function randomBase32(length: number): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
  return Array.from(randomBytes(length), (byte) => alphabet[byte & 31]).join('')
}
