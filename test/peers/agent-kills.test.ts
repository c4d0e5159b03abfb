import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isAlive, sendIfAlive } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { FaultWorld, LOCATIONS } from './fault-world.ts'
import { runProcessOf } from './servers/children.ts'
import { cgroupsMissing, MemoryCgroup } from './servers/memory-cgroup.ts'
import { peersMissing } from './servers/peer.ts'

const MIB = 1024 * 1024
const FAILED = 'palette_backup_runs_total{policy="nightly",result="failed"}'

/**
 * What ends a process, one after the other on one running agent. After each the same must hold: every listed backup is
 * whole, the newest one restores, the metrics say what the locations hold, and the next run succeeds.
 */
describe.skipIf(peersMissing('ferretdb', 'minio'))('an agent whose processes are killed', () => {
  let world: FaultWorld

  beforeAll(async () => {
    world = await FaultWorld.start()
  })
  afterAll(() => world?.stop())

  it('starts well', () => world.expectAllIsWell())

  it.each(['prepare', 'read', 'verify', 'commit', 'retention'])(
    'kill -9 of a run, seen in or after its stage "%s"',
    async (stage) => {
      const failures = (await world.agent.metric(FAILED)) ?? 0
      const { runId, pid } = await world.runUntil(stage)
      if (pid !== undefined) sendIfAlive(pid, 'SIGKILL')
      const run = await world.endOf(runId)
      // The stages at the end are short: the run may have got through before the kill.
      if (run.result === 'failed') {
        expect(run.failure).toMatchObject({ code: 'internal', message: expect.stringContaining('SIGKILL') })
        expect(await world.agent.metric(FAILED)).toBe(failures + 1)
        expect(run.peakMemoryBytes).toBeGreaterThan(30_000_000)
      } else expect(run.result).toBe('success')
      if (stage === 'read') expect(run.result).toBe('failed')
      await world.untilTrueMetrics()
      await world.expectAllIsWell('folder')
    },
  )

  it('a run over its memory limit fails for that, and the agent lives', async () => {
    await world.configure(128)
    const run = await world.endOf(await world.startRun())
    expect(run).toMatchObject({ result: 'failed', failure: { code: 'out_of_memory' } })
    expect(run.failure.message).toContain('memory')
    expect(await world.agent.metric('palette_backup_run_memory_bytes{policy="nightly"}')).toBeGreaterThan(128 * MIB)
    await world.configure()
    await world.expectAllIsWell()
  })

  it.skipIf(cgroupsMissing())('a run that the kernel ends for want of memory fails for that', async () => {
    const failures = (await world.agent.metric(FAILED)) ?? 0
    const counted = 'palette_backup_failures_total{policy="nightly",stage="read",code="out_of_memory"}'
    const before = (await world.agent.metric(counted)) ?? 0
    await using small = await MemoryCgroup.create(8 * MIB)
    const { runId, pid } = await world.runUntil('read')
    await small.add(pid ?? 0)
    const run = await world.endOf(runId)
    expect(run).toMatchObject({ result: 'failed', failure: { code: 'out_of_memory' } })
    expect(run.failure.message).toContain('the kernel was short of memory and ended it')
    expect(await world.agent.metric(FAILED)).toBe(failures + 1)
    expect(await world.agent.metric(counted)).toBe(before + 1)
    await world.expectAllIsWell('folder')
  })

  it('a run that hangs is cancelled over HTTP', async () => {
    const { runId, pid } = await world.runUntil('read')
    process.kill(pid ?? 0, 'SIGSTOP')
    await world.ask(`/runs/${runId}`, 'DELETE')
    expect(await world.endOf(runId)).toMatchObject({ result: 'cancelled' })
    await world.expectAllIsWell()
  })

  it.each(['read', 'retention'])(
    'kill -9 of the agent in or after the stage "%s" of a run: no process outlives it, its metrics come back',
    async (stage) => {
      const { pid } = await world.runUntil(stage)
      process.kill(world.agent.pid, 'SIGKILL')
      if (pid !== undefined) await until('the end of the run process', 60_000, async () => !isAlive(pid))
      await world.startAgent()
      await until('both catalogs', 30_000, async () => {
        const read = await Promise.all(
          LOCATIONS.map((location) => world.metric('catalog_read_timestamp_seconds', location)),
        )
        return read.every((time) => (time ?? 0) > 0)
      })
      await world.expectAllIsWell('folder')
    },
  )

  it('left nothing listed that cannot be restored', async () => {
    expect((await world.list()).length).toBeGreaterThan(20)
    await world.expectEveryBackupRestores()
  })

  it('all of it over: SIGTERM ends the agent with 0, and its run with it', async () => {
    await world.runUntil('read')
    const child = await runProcessOf(world.agent.pid)
    expect(await world.agent.stop()).toBe(0)
    expect(isAlive(child)).toBe(false)
  })
})
