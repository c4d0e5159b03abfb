import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { FaultWorld } from './fault-world.ts'
import { peersMissing } from './servers/peer.ts'

const DAY_MS = 86_400_000

/** What happens around an agent in two years: its locations go and come back, and its clock is set. */
describe.skipIf(peersMissing('ferretdb', 'minio', 'libfaketime.so.1'))('an agent among faults', () => {
  let world: FaultWorld

  beforeAll(async () => {
    world = await FaultWorld.start()
    for (let count = 0; count < 7; count += 1) await world.endOf(await world.startRun())
  })
  afterAll(() => world?.stop())

  it('a location that goes and comes back', async () => {
    const before = (await world.metric('last_success_timestamp_seconds', 'offsite')) ?? 0
    await world.minio.stop('SIGKILL')
    await rename(join(world.folder, 'backups'), join(world.folder, 'away'))
    const run = await world.endOf(await world.startRun())
    expect(run.result).toBe('failed')
    expect(await world.agent.metric('palette_backup_location_up{location="offsite"}')).toBe(0)
    expect(await world.agent.metric('palette_backup_location_up{location="folder"}')).toBe(0)
    expect(await world.metric('last_success_timestamp_seconds', 'offsite')).toBe(before)
    const age = (await world.metric('last_success_age_seconds', 'offsite')) ?? 0
    await until(
      'the age to grow',
      20_000,
      async () => ((await world.metric('last_success_age_seconds', 'offsite')) ?? 0) > age,
    )
    expect(await world.agent.metric('palette_backup_retry_timestamp_seconds{policy="nightly"}')).toBeGreaterThan(0)
    await rename(join(world.folder, 'away'), join(world.folder, 'backups'))
    await world.minio.restart()
    await world.expectAllIsWell()
  })

  describe('whose clock is set', () => {
    beforeAll(async () => {
      // A signature of S3 is good for 15 minutes: what a wrong clock does to retention shows in the folder alone.
      await world.configure({ locations: ['folder'] })
    })

    afterAll(async () => {
      world.clock.set(0)
      await world.configure()
    })

    it('400 days ahead: it is noticed, one run is made, and retention deletes nothing', async () => {
      const before = await world.list()
      expect(before.filter(({ location }) => location === 'folder').length).toBeGreaterThan(6)
      world.clock.set(400 * DAY_MS)
      await until(
        'the jump',
        60_000,
        async () => (await world.agent.metric('palette_backup_scheduler_clock_jumps_total')) === 1,
      )
      await until('a run of the due time', 60_000, async () => {
        const { recent } = await world.ask('/runs')
        return recent.some(({ policy, startedAt }: { policy?: string; startedAt: string }) => {
          return policy === 'nightly' && new Date(startedAt).getTime() > Date.now() + 300 * DAY_MS
        })
      })
      await until('the run to end', 60_000, async () => (await world.ask('/runs')).active.length === 0)
      expect(await world.metric('retention_refused', 'folder')).toBe(1)
      const after = (await world.list()).filter(({ location }) => location === 'folder')
      expect(after.length).toBe(before.filter(({ location }) => location === 'folder').length + 1)
    })

    it('back, and then 2 days behind: the next runs succeed, and nothing is lost', async () => {
      world.clock.set(0)
      expect(await world.endOf(await world.startRun())).toMatchObject({ result: 'success' })
      // The one that was made in the future hides nothing of the present.
      await until(
        'the age of the run that was made just now',
        60_000,
        async () => ((await world.metric('last_success_age_seconds', 'folder')) ?? 0) < 60,
      )
      expect(await world.metric('future_backups', 'folder')).toBe(1)
      const before = await world.list()
      world.clock.set(-2 * DAY_MS)
      expect(await world.endOf(await world.startRun())).toMatchObject({ result: 'success' })
      const after = await world.list()
      expect(after.length).toBe(before.length + 1)
      world.clock.set(0)
    })
  })

  it('left nothing listed that cannot be restored', async () => {
    await world.expectEveryBackupRestores()
    await world.expectAllIsWell()
  })
})
