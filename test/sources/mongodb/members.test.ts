import { afterEach, describe, expect, it } from 'vitest'
import { rankMembers } from '../../../agent/sources/mongodb/choose-member.ts'
import { encode } from '../../support/mongodb/encode.ts'
import type { MemberSettings } from '../../support/mongodb/membership.ts'
import { type ReplicaSetDouble, startReplicaSet } from '../../support/mongodb/replica-set.ts'
import type { MongodbDouble, MongodbOptions } from '../../support/mongodb/server.ts'
import { errorOf } from '../../support/streams.ts'
import { backUp } from './backing-up.ts'

const started: ReplicaSetDouble[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((set) => set.stop()))
})

describe('the choice of a member', () => {
  it('takes a hidden secondary first, then one that is least behind, and the primary last', () => {
    const { members, passedOver } = rankMembers([
      { host: 'p', role: 'primary', hidden: false },
      { host: 'b', role: 'secondary', hidden: false, lagMs: 4000 },
      { host: 'a', role: 'secondary', hidden: false, lagMs: 1000 },
      { host: 'h', role: 'secondary', hidden: true, lagMs: 9000 },
      { host: 'late', role: 'secondary', hidden: true, lagMs: 60_000 },
      { host: 'sick', role: 'secondary', hidden: false, unfit: 'is RECOVERING' },
    ])
    expect(members.map(({ host }) => host)).toEqual(['h', 'a', 'b', 'p'])
    expect(passedOver).toEqual(['late is 1m behind', 'sick is RECOVERING'])
  })

  it('reads everything from a hidden secondary and nothing from the others', async () => {
    const set = await replicaSet([{}, {}, { hidden: true }, { arbiter: true }])
    const { facts, warnings } = await backUp(set.uri)
    expect(facts).toMatchObject({
      member: { role: 'hidden', host: hostOf(set, 2) },
      consistency: { level: 'snapshot' },
    })
    expect(warnings).toEqual([])
    expect(set.members.map((member) => reads(member) > 0)).toEqual([false, false, true, false])
    expect(set.left()).toEqual({ cursors: 0, sessions: 0 })
  })

  it('never reads a delayed member, one that lags, recovers, or has no indexes', async () => {
    const set = await replicaSet([
      {},
      { hidden: true, delaySeconds: 3600 },
      {},
      {},
      { hidden: true, buildIndexes: false },
    ])
    set.lag(2, 120)
    set.become(3, 'RECOVERING')
    const { facts, warnings } = await backUp(set.uri)
    expect(facts.member).toEqual({ role: 'primary', host: hostOf(set, 0) })
    expect(warnings).toHaveLength(1)
    for (const part of [
      'because no secondary could be read',
      'is delayed on purpose',
      'is 2m behind',
      'is RECOVERING',
      'has no indexes',
    ]) {
      expect(warnings[0]).toContain(part)
    }
  })

  it('finds out by asking the members where the user may not see the state of the set', async () => {
    const set = await replicaSet([{}, { priority: 0, delaySeconds: 600 }, {}])
    for (const { faults } of set.members) {
      faults.fail('replSetGetStatus', { code: 13, message: 'not authorized on admin', times: 99 })
    }
    const { facts } = await backUp(set.uri)
    expect(facts.member).toEqual({ role: 'secondary', host: hostOf(set, 2) })
  })

  it('goes on to the next when one cannot be reached', async () => {
    const set = await replicaSet([{}, { hidden: true }, {}])
    await set.members[1]?.stop()
    const { facts } = await backUp(`${set.uri}&serverSelectionTimeoutMS=700`)
    expect(facts.member).toEqual({ role: 'secondary', host: hostOf(set, 2) })
  })

  it('reads a secondary while there is no primary', async () => {
    const set = await replicaSet([{}, {}])
    await set.kill(0)
    const { facts } = await backUp(`mongodb://${hostOf(set, 1)}/?replicaSet=rs0`)
    expect(facts.member).toEqual({ role: 'secondary', host: hostOf(set, 1) })
  })

  it('keeps to the member that the connection string names', async () => {
    const set = await replicaSet([{}, {}, { hidden: true }])
    const { facts } = await backUp(`mongodb://${hostOf(set, 1)}/?directConnection=true`)
    expect(facts.member).toEqual({ role: 'secondary', host: hostOf(set, 1) })
  })

  it('says that it read a standalone', async () => {
    const { startMongodb } = await import('../../support/mongodb/server.ts')
    await using alone = await startMongodb({ standalone: true })
    alone.store.add('app', 'numbers', { documents: [encode({ _id: 1 })] })
    const { facts } = await backUp(alone.uri)
    expect(facts).toMatchObject({ member: { role: 'standalone' }, consistency: { level: 'none' } })
  })

  it('names every member and what is wrong with it when none can be read', async () => {
    const set = await replicaSet([{}, {}])
    set.lag(1, 300)
    set.become(0, 'RECOVERING')
    expect(await errorOf(backUp(`mongodb://${hostOf(set, 1)}/?replicaSet=rs0`))).toMatchObject({
      code: 'unavailable',
      retryable: true,
      message: expect.stringMatching(/no member of replica set rs0 can be read: .*is RECOVERING/),
    })
  })
})

async function replicaSet(
  settings: readonly MemberSettings[],
  options: MongodbOptions = {},
): Promise<ReplicaSetDouble> {
  const set = await startReplicaSet(settings, options)
  started.push(set)
  set.store.add('app', 'numbers', { documents: Array.from({ length: 500 }, (_, _id) => encode({ _id })) })
  return set
}

function hostOf(set: ReplicaSetDouble, id: number): string {
  return `127.0.0.1:${set.members[id]?.port}`
}

function reads({ commands }: MongodbDouble): number {
  return commands.filter((name) => ['find', 'getMore', 'listCollections', 'listIndexes'].includes(name)).length
}
