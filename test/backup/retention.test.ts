import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { backupIdTime } from '../../agent/backup/backup-id.ts'
import { CALENDAR_UNITS } from '../../agent/backup/calendar.ts'
import type { StoredBackup } from '../../agent/backup/retention.ts'
import { decideRetention, tooManyDeletions } from '../../agent/backup/retention.ts'
import { DAY_MS } from '../../agent/core/units.ts'

const FOLDER = new URL('retention/', import.meta.url)

const Case = z.strictObject({
  now: z.string(),
  rule: z.strictObject({
    retentionDays: z.int(),
    keepMinimum: z.int(),
    keep: z.partialRecord(z.enum(['last', ...CALENDAR_UNITS]), z.int()).default({}),
  }),
  /** One backup a day. */
  nightly: z.strictObject({ from: z.string(), to: z.string(), hour: z.int() }).optional(),
  /** Ids, each with what else there is to say of it. */
  backups: z.array(z.string()).default([]),
  in_use: z.array(z.string()).default([]),
  kept_only: z.boolean().default(false),
})

describe('what retention decides, with its reasons', () => {
  const names = readdirSync(FOLDER).filter((file) => file.endsWith('.yaml'))

  it.each(names)('%s', async (name) => {
    const { now, rule, nightly, backups, in_use, kept_only } = Case.parse(
      parse(readFileSync(new URL(name, FOLDER), 'utf8')),
    )
    const stored = [...backups, ...(nightly ? idsOf(nightly) : [])].map(storedBackup)
    const decisions = decideRetention(stored, rule, { now: new Date(now), inUse: new Set(in_use) })
    expect(decisions).toHaveLength(stored.length)
    const lines = decisions
      .filter((decision) => decision.keep || !kept_only)
      .map((decision) => `${decision.keep ? 'keep  ' : 'delete'} ${decision.backupId}  ${decision.reason}\n`)
    const refused = tooManyDeletions(decisions)
    const golden = `${lines.join('')}${refused ? `refused: ${refused}\n` : ''}`
    await expect(golden).toMatchFileSnapshot(new URL(name.replace('.yaml', '.txt'), FOLDER).pathname)
  })
})

function idsOf({ from, to, hour }: { from: string; to: string; hour: number }): string[] {
  const ids: string[] = []
  for (let day = Date.parse(from); day <= Date.parse(to); day += DAY_MS) {
    const date = new Date(day).toISOString().slice(0, 10).replaceAll('-', '')
    ids.push(`${date}T${String(hour).padStart(2, '0')}0000Z-nnnnnn`)
  }
  return ids
}

function storedBackup(line: string): StoredBackup {
  const [backupId = '', ...words] = line.split(' ')
  return {
    backupId,
    startedAt: backupIdTime(backupId) ?? new Date(Number.NaN),
    complete: !words.includes('partial'),
    pinned: words.includes('pinned'),
    verified: words.includes('verified'),
    damaged: words.includes('damaged'),
    suspect: words.includes('suspect'),
  }
}

const NOW = new Date('2026-11-24T12:00:00Z')

describe('whatever there is, and whatever the clock says', () => {
  const stored = fc.array(
    fc.record({
      ageDays: fc.double({ min: -4000, max: 4000, noNaN: true }),
      complete: fc.boolean(),
      pinned: fc.boolean(),
      verified: fc.boolean(),
      damaged: fc.boolean(),
      inUse: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  const count = fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined })
  const rules = fc.record({
    retentionDays: fc.integer({ min: 1, max: 40 }),
    keepMinimum: fc.integer({ min: 1, max: 5 }),
    keep: fc.record({ last: count, daily: count, weekly: count, monthly: count, yearly: count }),
  })

  it('keeps the newest good, the newest proven, what is pinned or read, and as many good ones as wanted', () => {
    fc.assert(
      fc.property(stored, rules, (list, rule) => {
        const backups = list.map(({ ageDays, ...facts }, index) => {
          return { ...facts, backupId: `b${index}`, startedAt: new Date(NOW.getTime() - ageDays * DAY_MS) }
        })
        const inUse = new Set(backups.filter((one) => one.inUse).map(({ backupId }) => backupId))
        const decisions = decideRetention(backups, rule, { now: NOW, inUse })
        expect(decisions.map(({ backupId }) => backupId).sort()).toEqual(backups.map(({ backupId }) => backupId).sort())
        const kept = new Set(decisions.filter(({ keep }) => keep).map(({ backupId }) => backupId))
        const isKept = ({ backupId }: { backupId: string }) => kept.has(backupId)
        expect(decisions.every(({ reason }) => reason !== '')).toBe(true)

        const newestFirst = backups.toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
        expect(backups.filter((one) => one.pinned || one.inUse || one.startedAt > NOW).every(isKept)).toBe(true)
        const good = newestFirst.filter((one) => one.complete && !one.damaged && one.startedAt <= NOW)
        expect(good.slice(0, Math.max(rule.keepMinimum, rule.keep.last ?? 1)).every(isKept)).toBe(true)
        const proven = newestFirst.filter(
          ({ verified, damaged, startedAt }) => verified && !damaged && startedAt <= NOW,
        )
        expect(proven.slice(0, 1).every(isKept)).toBe(true)
        if (good.length === 0) expect(backups.every(isKept)).toBe(true)
      }),
    )
  })

  it('decides the same in whatever order the backups come', () => {
    fc.assert(
      fc.property(stored, rules, (list, rule) => {
        const backups = list.map(({ ageDays, ...facts }, index) => {
          return { ...facts, backupId: `b${index}`, startedAt: new Date(NOW.getTime() - Math.round(ageDays) * DAY_MS) }
        })
        const one = decideRetention(backups, rule, { now: NOW })
        expect(decideRetention(backups.toReversed(), rule, { now: NOW })).toEqual(one)
      }),
    )
  })
})

describe('how many may go at once', () => {
  const decisions = (doomed: number, kept: number) =>
    Array.from({ length: doomed + kept }, (_, index) => ({ backupId: `b${index}`, keep: index >= doomed, reason: '' }))

  it.each([
    [0, 0, true],
    [3, 1, true],
    [4, 3, false],
    [4, 8, true],
    [5, 8, false],
    [100, 200, true],
    [101, 200, false],
  ])('%i of %i more: %s', (doomed, kept, allowed) => {
    expect(tooManyDeletions(decisions(doomed, kept)) === undefined).toBe(allowed)
  })

  it('says how many', () => {
    expect(tooManyDeletions(decisions(14, 1))).toBe('14 of 15 backups would be deleted at once, at most 5 are')
  })
})
