import { expect, it } from 'vitest'
import type { Found } from '../../agent/commands/find-backups.ts'
import { pickBackup } from '../../agent/commands/find-backups.ts'
import { Failure } from '../../agent/core/errors.ts'
import { MemoryLocation } from '../support/memory-location.ts'

const location = new MemoryLocation('nas')

/** Newest first, as locations list them; `-` marks what is not complete, `!` what is damaged, `?` what this program cannot read. */
function found(...days: readonly string[]): Found {
  const backups = days.map((day) => {
    const startedAt = `${day.slice(0, 10)}T02:00:00.000Z`
    const facts = { complete: !day.endsWith('-'), damaged: day.endsWith('!'), unreadable: day.endsWith('?') }
    return { backup: { backupId: day.slice(0, 10), policy: 'nightly', location: 'nas', startedAt, ...facts }, location }
  })
  return { backups, unread: [], problems: [], at: new Date('2026-11-24T02:00:00Z') }
}

it.each([
  [['2026-11-24', '2026-11-23'], '2026-11-24'],
  [['2026-11-24-', '2026-11-23'], '2026-11-23'],
  [['2026-11-24!', '2026-11-23-', '2026-11-22?', '2026-11-21'], '2026-11-21'],
  [['2027-12-29', '2026-11-23'], '2026-11-23'],
  [['2026-11-25', '2026-11-24'], '2026-11-24'],
])('of %j the latest is %s', (days, latest) => {
  expect(pickBackup(found(...days), 'latest').backup.backupId).toBe(latest)
})

it('one from the future is to be had by its name alone, which is said', () => {
  expect(pickBackup(found('2027-12-29'), '2027-12-29').backup.backupId).toBe('2027-12-29')
  expect(() => pickBackup(found('2027-12-29', '2026-11-23-'), 'latest')).toThrow(
    expect.objectContaining({
      message: 'every complete backup bears a time that has not come',
      hint: expect.stringContaining('name the one you mean'),
    }),
  )
})

it('says that there is none', () => {
  expect(() => pickBackup(found('2026-11-23-'), 'latest')).toThrow('there is no complete backup')
  expect(() => pickBackup(found('2026-11-23'), '2026-11-22')).toThrow('there is no backup 2026-11-22')
})

it('where none is good, the latest is refused for what is wrong with the newest', () => {
  const problem = new Failure('it is of staging', { code: 'refused', hint: 'use another configuration' })
  const none = { ...found('2026-11-24?', '2026-11-23!'), problems: [problem, new Failure('cut', { code: 'damaged' })] }
  expect(() => pickBackup(none, 'latest')).toThrow(problem)
  const unread = [{ location: 's3', failure: { code: 'unreachable' as const, message: 'no answer' } }]
  expect(() => pickBackup({ ...none, unread }, 'latest')).toThrow(
    expect.objectContaining({ message: 'there is no complete backup', hint: 's3 could not be read: no answer' }),
  )
})

it('the latest is none of a location that did not answer when it was looked at; by its name it is to be had', () => {
  const unread = [{ location: 'nas', failure: { code: 'unavailable' as const, message: 'slow down' } }]
  const { backups, ...rest } = found('2026-11-24', '2026-11-23')
  const unseen = backups.map((one) => ({ ...one, unseen: true }))
  expect(() => pickBackup({ ...rest, backups: unseen, unread }, 'latest')).toThrow(
    expect.objectContaining({ message: 'there is no complete backup', hint: 'nas could not be read: slow down' }),
  )
  expect(pickBackup({ ...rest, backups: unseen, unread }, '2026-11-24').backup.backupId).toBe('2026-11-24')
  expect(pickBackup({ ...rest, backups: [...unseen, ...found('2026-11-22').backups], unread }, 'latest')).toMatchObject(
    {
      backup: { backupId: '2026-11-22' },
    },
  )
})
