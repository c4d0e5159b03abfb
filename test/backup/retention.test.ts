import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideRetention } from '../../agent/backup/retention.ts'
import { DAY_MS } from '../../agent/core/units.ts'

const NOW = new Date('2026-11-24T12:00:00Z')
const rule = { retentionDays: 14, keepMinimum: 3 }
const backup = (backupId: string, ageDays: number, complete = true) => ({
  backupId,
  startedAt: new Date(NOW.getTime() - ageDays * DAY_MS),
  complete,
})
const kept = (...backups: ReturnType<typeof backup>[]) =>
  decideRetention(backups, rule, NOW)
    .filter(({ keep }) => keep)
    .map(({ backupId }) => backupId)

describe('retention', () => {
  it('keeps what is younger than the period and deletes the rest', () => {
    expect(kept(backup('a', 1), backup('b', 13.9), backup('c', 14), backup('d', 14.1), backup('e', 2))).toEqual([
      'a',
      'e',
      'b',
      'c',
    ])
  })

  it('keeps the newest complete ones however old', () => {
    expect(kept(backup('a', 90), backup('b', 80), backup('c', 70), backup('d', 60))).toEqual(['d', 'c', 'b'])
  })

  it('never counts a partial one as good', () => {
    expect(kept(backup('p1', 30, false), backup('p2', 31, false), backup('a', 90), backup('p3', 91, false))).toEqual([
      'p1',
      'p2',
      'a',
    ])
  })

  it('keeps a backup from the future, and says so', () => {
    expect(decideRetention([backup('f', -3)], rule, NOW)).toEqual([
      { backupId: 'f', keep: true, reason: 'from the future' },
    ])
  })

  it('never deletes the newest complete backup, whatever the clock says, and decides about each once', () => {
    const stored = fc.array(
      fc.record({ ageDays: fc.double({ min: -4000, max: 4000, noNaN: true }), complete: fc.boolean() }),
    )
    fc.assert(
      fc.property(
        stored,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 40 }),
        (list, keepMinimum, retentionDays) => {
          const backups = list.map(({ ageDays, complete }, index) => backup(`b${index}`, ageDays, complete))
          const decisions = decideRetention(backups, { keepMinimum, retentionDays }, NOW)
          expect(decisions.map(({ backupId }) => backupId).sort()).toEqual(
            backups.map(({ backupId }) => backupId).sort(),
          )
          const complete = backups.filter((one) => one.complete)
          const keptComplete = decisions.filter(
            ({ backupId, keep }) => keep && complete.some((one) => one.backupId === backupId),
          )
          expect(keptComplete.length).toBeGreaterThanOrEqual(Math.min(keepMinimum, complete.length))
          const newest = complete.sort((a, b) => b.startedAt.getTime() - a.startedAt.getTime())[0]
          if (newest) expect(keptComplete.map(({ backupId }) => backupId)).toContain(newest.backupId)
        },
      ),
    )
  })
})
