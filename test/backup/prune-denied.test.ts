import { beforeEach, describe, expect, it } from 'vitest'
import { holdBackup } from '../../agent/backup/hold.ts'
import { forgetRestore, recordRestore } from '../../agent/backup/unfinished-restore.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Failure } from '../../agent/core/errors.ts'
import type { MemoryLocation } from '../support/memory-location.ts'
import { OWNER } from './nightly-run.ts'
import { never, PruneWorld, REF, unfinishedRestore } from './prune-world.ts'

let world: PruneWorld
let nas: MemoryLocation

beforeEach(() => {
  world = new PruneWorld()
  nas = world.nas
})

describe('where nothing may be deleted', () => {
  it('retention says so in one sentence, and counts one by one', async () => {
    const ids = await world.store(1, 20, 30, 40)
    nas.fault = noDeletion
    const { deleted, problems, unfinished } = await world.prune()
    expect({ deleted, unfinished }).toEqual({ deleted: [], unfinished: false })
    expect(problems).toEqual([`deleting prod/nightly/${ids.at(-1)}.manifest.json: no right; and so for 2 others`])
    expect(world.events).toContainEqual(expect.objectContaining({ type: 'retention.applied', failures: 3 }))
  })

  it('a backup is no longer needed by a restore that is finished, although its record is there', async () => {
    const [, old = ''] = await world.store(1, 20)
    const record = unfinishedRestore('mongo:27017', old)
    await recordRestore(nas, 'prod', record, { signal: never() })
    nas.fault = noDeletion
    await forgetRestore(nas, 'prod', record, { signal: never() })
    nas.fault = () => undefined
    expect(nas.keys.filter((key) => key.includes('.restores'))).toHaveLength(1)
    expect((await world.prune()).deleted).toEqual([old])
  })

  it('holding a backup leaves a record of a hold that is over', async () => {
    const [, old = ''] = await world.store(1, 20)
    nas.fault = noDeletion
    const reading = { ...REF, backupId: old, doing: 'verify' as const }
    const hold = { ...reading, runId: 'r', owner: OWNER, clock: systemClock, signal: never() }
    expect(await holdBackup(nas, { ...hold, warn: (message) => expect.fail(message) }, async () => 7)).toBe(7)
    nas.fault = () => undefined
    expect((await world.prune({ isDead: () => false })).deleted).toEqual([old])
  })
})

describe('where nothing may be written', () => {
  it('holding a backup is told, and goes on', async () => {
    const warnings: string[] = []
    nas.fault = (operation) => {
      if (operation === 'put') throw new Failure('storing: read only', { code: 'permission' })
    }
    const reading = { ...REF, backupId: 'b', doing: 'verify' as const }
    const hold = { ...reading, runId: 'r', owner: OWNER, clock: systemClock, signal: never() }
    expect(await holdBackup(nas, { ...hold, warn: (message) => warnings.push(message) }, async () => 7)).toBe(7)
    expect(warnings).toEqual([expect.stringContaining('read only')])
  })
})

function noDeletion(operation: string, key: string): void {
  if (operation === 'delete') throw new Failure(`deleting ${key}: no right`, { code: 'permission' })
}
