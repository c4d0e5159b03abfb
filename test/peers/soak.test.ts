import { expect, it, vi } from 'vitest'
import { soak } from '../support/soak.ts'

const NIGHTS = Number(process.env['SOAK_NIGHTS'] ?? 365)
const MIB = 1024 * 1024
/** A night takes 0.85 s where nothing else runs. */
const NIGHT_MS = 5_000
vi.setConfig({ testTimeout: NIGHTS * NIGHT_MS })

/** A year of nights with real run processes, about 5 minutes; SOAK_NIGHTS sets another number. */
it(`${NIGHTS} nights: every run is accounted for, memory and descriptors stay flat`, async () => {
  const result = await soak({ nights: NIGHTS, policy: { retentionDays: 7, keepMinimum: 3, keep: { weekly: 4 } } })
  try {
    expect(result.nights.map(({ run }) => run.result)).toEqual(Array(NIGHTS).fill('success'))
    expect(new Set(result.nights.map(({ run }) => run.runId)).size).toBe(NIGHTS)
    expect(result.leftovers).toEqual([])
    const retained = await result.metric('retained_backups{policy="nightly",location="folder"}')
    expect(retained).toBe(result.manifests.length)
    const deleted = await result.metric('deletions_total{policy="nightly",location="folder"}')
    expect(retained + deleted).toBe(NIGHTS)
    expect(await result.metric('runs_total{policy="nightly",result="skipped"}')).toBe(0)

    const third = Math.floor(NIGHTS / 3)
    const early = result.nights.slice(third, 2 * third)
    const late = result.nights.slice(2 * third)
    const least = (nights: typeof late, what: 'heapBytes' | 'descriptors') =>
      Math.min(...nights.map((one) => one[what]))
    expect(least(late, 'descriptors') - least(early, 'descriptors')).toBeLessThanOrEqual(2)
    expect(least(late, 'heapBytes') - least(early, 'heapBytes')).toBeLessThan(8 * MIB)
    const peaks = result.nights.map(({ run }) => run.peakMemoryBytes ?? 0)
    expect(Math.max(...peaks.slice(2 * third))).toBeLessThan(1.2 * Math.max(...peaks.slice(0, third)))
  } finally {
    await result.close()
  }
})
