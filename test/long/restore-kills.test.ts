import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FILLED, kill, killAt, RESTORE, ROLLBACK, STAGES, start, survivesKillAt } from '../commands/killed-restores.ts'
import type { RestoreWorld } from '../commands/restore-world.ts'
import { AgentProcess, startCommand } from '../support/agent-process.ts'
import { until } from '../support/until.ts'

describe('kill -9 of a restore', { timeout: 120_000 }, () => {
  // The other stages go with the suites against real servers (test/peers/restore-kills.test.ts).
  it.each(STAGES.filter(({ often }) => often))(
    'while $what is told, can be rolled back, and can be finished',
    (stage) => survivesKillAt(stage),
  )

  it('is seen in the status of the agent until it is finished', async () => {
    await using world = await start()
    await killAt(world, { what: '', command: 'insert', nth: 2, stage: 'restoring' })
    const { configFile, env } = world
    const unfinished = async (agent: AgentProcess): Promise<unknown> =>
      ((await agent.status()) as { unfinishedRestores: unknown }).unfinishedRestores
    const agent = await AgentProcess.start({ configFile, env })
    try {
      const told = { location: 'nas', target: world.target.uri.split('/')[2], stage: 'restoring' }
      await expect.poll(() => unfinished(agent), { timeout: 30_000 }).toMatchObject([told])
    } finally {
      await agent.stop()
    }
    expect(await world.run(ROLLBACK)).toMatchObject({ code: 0 })
    await using second = await AgentProcess.start({ configFile, env })
    await until('the catalog', 30_000, async () =>
      /catalog_read_timestamp_seconds\{[^}]*\} [1-9]/.test(await second.metrics()),
    )
    expect(await unfinished(second)).toEqual([])
  })
})

describe('a restore that breaks off before its first change', { timeout: 120_000 }, () => {
  it('has changed nothing when it is killed at its question, after the proof', async () => {
    await using world = await start()
    const before = await world.contents()
    const child = startCommand(world, ['restore', 'latest', '--to-uri-env', 'TARGET_URI'], 'pipe')
    let text = ''
    child.stderr?.on('data', (chunk) => {
      text += chunk
    })
    await until('the question', 60_000, async () => text.includes('Type "RESTORE prod"'))
    await kill(child, 'SIGKILL')
    await leftAlone(world, before)
    expect(await world.restore()).toMatchObject({ code: 0 })
    expect(await world.contents()).toEqual(await world.contents(world.source.uri))
  })

  it.each(['SIGKILL', 'SIGTERM'] as const)('has changed nothing by %s in its safety backup', async (signal) => {
    await using world = await start()
    const before = await world.contents()
    world.target.faults.stall('find', 2)
    const child = startCommand(world, RESTORE)
    await until(
      'the safety backup',
      60_000,
      async () => world.target.commands.filter((name) => name === 'find').length > 1,
    )
    await kill(child, signal)
    world.target.faults.clear()
    await leftAlone(world, before)
    expect(await world.restore(['--yes'])).toMatchObject({ code: 0 })
    expect(await world.run(ROLLBACK)).toMatchObject({ code: 0 })
    expect(await world.contents(world.target.uri, FILLED)).toEqual(before)
  })

  it('has changed nothing when its safety backup cannot be stored', async () => {
    await using world = await start()
    const before = await world.contents()
    await writeFile(join(world.folder, 'nas', 'prod', '.safety'), 'a file where a folder is wanted')
    const failed = await world.restore()
    expect(failed.code, failed.stderr).toBe(1)
    expect(failed.stderr).toMatch(/making a safety backup of the target: .*Nothing was changed/)
    await leftAlone(world, before)
  })
})

async function leftAlone(world: RestoreWorld, before: Awaited<ReturnType<RestoreWorld['contents']>>): Promise<void> {
  expect(await world.contents()).toEqual(before)
  expect(await world.record()).toBeUndefined()
  expect(world.target.commands.filter((name) => /^(drop|dropDatabase|create|createIndexes)$/.test(name))).toEqual([])
}
