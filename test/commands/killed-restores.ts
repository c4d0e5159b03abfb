import { once } from 'node:events'
import { MongoClient } from 'mongodb'
import { expect } from 'vitest'
import { startCommand } from '../support/agent-process.ts'
import { until } from '../support/until.ts'
import { DATABASES, RestoreWorld } from './restore-world.ts'

export const RESTORE = ['restore', 'latest', '--to-uri-env', 'TARGET_URI', '--yes']
export const ROLLBACK = ['restore', '--rollback', '--to-uri-env', 'TARGET_URI', '--yes']

/** What the target has before; the third database comes with the restore, and a rollback of a finished one leaves it. */
export const FILLED = ['hubbledb', 'hubble_archivedb']

export interface Stage {
  readonly what: string
  /** The command of the target that is never answered, and which of them. */
  readonly command: string
  readonly nth: number
  readonly collection?: string
  readonly stage: 'restoring' | 'comparing'
  /** Tried with every run of the tests. */
  readonly often?: true
}

export const STAGES: readonly Stage[] = [
  { what: 'databases are dropped', command: 'dropDatabase', nth: 2, stage: 'restoring' },
  { what: 'collections are created', command: 'create', nth: 3, stage: 'restoring' },
  { what: 'documents are inserted', command: 'insert', nth: 4, stage: 'restoring', often: true },
  { what: 'indexes are built', command: 'createIndexes', nth: 1, stage: 'restoring' },
  { what: 'views are created', command: 'create', collection: 'running_names', nth: 1, stage: 'restoring' },
  { what: 'the target is compared', command: 'find', collection: 'alltypes', nth: 1, stage: 'comparing', often: true },
]

/** A restore that is killed there is told, can be rolled back by the next command, and can be finished by it. */
export async function survivesKillAt(stage: Stage): Promise<void> {
  await using world = await start()
  const before = await world.contents()
  await killAt(world, stage)
  expect(await world.record()).toMatchObject({
    ...{ stage: stage.stage, databases: DATABASES.toSorted(), safety: { complete: true } },
  })
  const other = await world.restore(['--include', 'hubbledb'])
  expect(other).toMatchObject({ code: 4, stderr: expect.stringContaining('leaves its hubble_archivedb') })
  const back = await world.run(ROLLBACK)
  expect(back.code, back.stderr).toBe(0)
  expect(await world.contents()).toEqual(before)
  expect(await world.record()).toBeUndefined()

  await killAt(world, stage)
  const { safety } = (await world.record()) ?? {}
  const again = await world.restore()
  expect(again.code, again.stderr).toBe(0)
  expect(again.stderr).toContain(`broke off`)
  expect(again.stdout).toContain(`what was there before is in safety backup ${safety?.backup_id}`)
  expect(await world.contents()).toEqual(await world.contents(world.source.uri))
  expect(await world.record()).toBeUndefined()
  expect(await world.run(ROLLBACK)).toMatchObject({ code: 0 })
  expect(await world.contents(world.target.uri, FILLED)).toEqual(before)
}

/** An installation of every kind of collection, and a target that holds something else. */
export async function start(): Promise<RestoreWorld> {
  const world = await RestoreWorld.start({ bytes: 200_000, allTypes: true })
  await using client = new MongoClient(world.target.uri)
  for (const name of FILLED) {
    await client.db(name).collection<{ _id: string }>('precious').insertOne({ _id: 'before' })
  }
  return world
}

export async function killAt(world: RestoreWorld, { command, nth, collection, stage }: Stage): Promise<void> {
  const { faults, requests } = world.target
  const of = (): number =>
    requests.filter((one) => one.name === command && (collection === undefined || one.collection === collection)).length
  const already = of()
  // The safety backup before it asks for none of these.
  faults.add({ command, nth, ...(collection === undefined ? {} : { collection }), action: { kind: 'stall' } })
  const child = startCommand(world, RESTORE)
  await until(command, 60_000, async () => of() >= already + nth && (await world.record())?.stage === stage)
  await kill(child, 'SIGKILL')
  faults.clear()
}

export async function kill(child: ReturnType<typeof startCommand>, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}
