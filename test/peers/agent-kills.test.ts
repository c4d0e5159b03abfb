import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isAlive, sendIfAlive } from '../support/processes.ts'
import { until } from '../support/until.ts'
import { FaultWorld } from './fault-world.ts'
import { runProcessOf } from './servers/children.ts'
import { cgroupsMissing, MemoryCgroup } from './servers/memory-cgroup.ts'
import { peersMissing } from './servers/peer.ts'

const MIB = 1024 * 1024
const FAILED = 'palette_backup_runs_total{policy="nightly",result="failed"}'

/**
 * What ends a process, one after the other on one running agent. After each the same must hold: every listed backup is
 * whole, the newest one restores, the metrics say what the locations hold, and the next run succeeds.
 */
describe.skipIf(peersMissing('ferretdb', 'minio', 'mc', 'libfaketime.so.1'))(
  'an agent whose processes are killed',
  () => {
    let world: FaultWorld

    beforeAll(async () => {
      world = await FaultWorld.start()
    })
    afterAll(() => world?.stop())

    it('starts well', () => world.expectAllIsWell())

    it.each([
      ['prepare, with nothing on record', 'PUT .*/\\.runs/', 'before'],
      ['read and store', '(PUT|POST) .*\\.archive\\.zst', 'before'],
      ['verify', 'GET .*\\.archive\\.zst', 'after'],
      ['commit, before the manifest', 'PUT .*\\.manifest\\.json', 'before'],
      ['commit, behind the manifest', 'PUT .*\\.manifest\\.json', 'after'],
      ['retention, before the first deletion', 'DELETE .*\\.manifest\\.json', 'before'],
      ['retention, between a manifest and its artifact', 'DELETE .*\\.archive\\.zst', 'before'],
    ] as const)('kill -9 of a run in its stage %s', async (stage, request, when) => {
      if (stage.startsWith('retention')) await world.bringOld()
      const failures = (await world.agent.metric(FAILED)) ?? 0
      const { runId, pid } = await world.runHeldAt(new RegExp(request), when)
      process.kill(pid, 'SIGKILL')
      const run = await world.endOf(runId)
      expect(run).toMatchObject({ result: 'failed', failure: { code: 'internal' } })
      expect(run.failure.message).toContain('SIGKILL')
      expect(run.peakMemoryBytes).toBeGreaterThan(30_000_000)
      expect(await world.agent.metric(FAILED)).toBe(failures + 1)
      await world.untilTrueMetrics()
      await world.expectAllIsWell('folder')
    })

    it('a run over its memory limit fails for that, and the agent lives', async () => {
      // The window of zstd at this level alone takes most of that.
      await world.configure({ attributes: ['memory_limit: 128', 'compression_level: 19'] })
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

    it.each([
      ['of the agent alone', 'while a run stores', '(PUT|POST) .*\\.archive\\.zst', ['agent']],
      ['of the agent and its run', 'in the middle of retention', 'DELETE .*\\.archive\\.zst', ['agent', 'run']],
      ['of the agent alone', 'in the middle of retention', 'DELETE .*\\.manifest\\.json', ['agent']],
    ] as const)(
      'kill -9 %s, %s: no process outlives it, its metrics come back',
      async (_who, when, request, killed) => {
        if (when.includes('retention')) await world.bringOld()
        const { pid } = await world.runHeldAt(new RegExp(request), 'before')
        for (const who of killed) sendIfAlive(who === 'agent' ? world.agent.pid : pid, 'SIGKILL')
        await until('the end of the run process', 60_000, async () => !isAlive(pid))
        await world.startAgent()
        await world.untilTrueMetrics()
        await world.expectAllIsWell('folder')
      },
    )

    it('a restart in the middle of retention: the agent ends in order, and the next one goes on where it was', async () => {
      await world.bringOld()
      const { pid } = await world.runHeldAt(/DELETE .*\.archive\.zst/, 'before')
      expect(await world.agent.stop()).toBe(0)
      expect(isAlive(pid)).toBe(false)
      await world.startAgent()
      await world.untilTrueMetrics()
      await world.expectAllIsWell()
    })

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
  },
)
