import { rename } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { soak } from '../support/soak.ts'

it('nights in a row: every run is accounted for, retention keeps pace, a night without the location harms no other', async () => {
  const result = await soak({
    nights: 5,
    policy: { retentionDays: 2, keepMinimum: 1 },
    async disturb(night, folder) {
      if (night === 2) await rename(folder, `${folder}.away`)
      if (night === 3) await rename(`${folder}.away`, folder)
    },
  })
  try {
    expect(result.nights.map(({ run }) => run.result)).toEqual(['success', 'success', 'failed', 'success', 'success'])
    expect(new Set(result.nights.map(({ run }) => run.runId)).size).toBe(5)
    // Nights from 27 February of a leap year: the last two are 1 and 2 March.
    expect(result.manifests.map((file) => file.slice('nightly/'.length, 'nightly/20200301'.length))).toEqual([
      '20200301',
      '20200302',
    ])
    expect(result.leftovers).toEqual([])
    expect(await result.metric('runs_total{policy="nightly",result="success"}')).toBe(4)
    expect(await result.metric('runs_total{policy="nightly",result="failed"}')).toBe(1)
    expect(await result.metric('retained_backups{policy="nightly",location="folder"}')).toBe(2)
    expect(await result.metric('deletions_total{policy="nightly",location="folder"}')).toBe(2)
    expect(await result.metric('location_up{location="folder"}')).toBe(1)
  } finally {
    await result.close()
  }
}, 120_000)
