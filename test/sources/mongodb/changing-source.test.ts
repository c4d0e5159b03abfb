import { afterEach, describe, expect, it } from 'vitest'
import type { BackupOutcome } from '../../../agent/backup/backup-options.ts'
import { repeatReading } from '../../../agent/commands/repeat-reading.ts'
import { Failure } from '../../../agent/core/errors.ts'
import type { RunEvent } from '../../../agent/core/events.ts'
import { encode } from '../../support/mongodb/encode.ts'
import { type ReplicaSetDouble, startReplicaSet } from '../../support/mongodb/replica-set.ts'
import { startMongodb } from '../../support/mongodb/server.ts'
import { errorOf } from '../../support/streams.ts'
import { backUp, never } from './backing-up.ts'

/** Enough for many batches of each collection and several chunks of the archive. */
const TEXT = 'x'.repeat(4000)
const started: { stop(): Promise<void> }[] = []

afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()))
})

describe('a source that changes while it is read', () => {
  it('fails as a whole when its member dies, and leaves nothing behind', async () => {
    const set = await replicaSet()
    const error = await errorOf(backUp(`${set.uri}&serverSelectionTimeoutMS=500`, { onFirstChunk: () => set.kill(1) }))
    expect(error).toMatchObject({ code: 'source_changed', retryable: true })
    expect(set.left().cursors).toBe(0)
  })

  it('fails as a whole when its member rolls back, and the next reading takes another', async () => {
    const set = await replicaSet()
    const error = await errorOf(backUp(set.uri, { onFirstChunk: () => set.become(1, 'ROLLBACK') }))
    expect(error).toMatchObject({ code: 'source_changed', retryable: true })
    const { facts } = await backUp(set.uri)
    expect(facts).toMatchObject({ member: { role: 'primary' }, consistency: { level: 'snapshot' } })
  })

  it('goes on with its member through an election, at the same instant', async () => {
    const set = await replicaSet()
    const { facts, warnings } = await backUp(set.uri, { onFirstChunk: () => set.elect(1) })
    expect(facts).toMatchObject({ member: { role: 'secondary' }, consistency: { level: 'snapshot' } })
    expect(facts.collections.map(({ documents }) => documents)).toEqual([2000, 2000])
    expect(warnings).toEqual([])
    expect(set.left()).toEqual({ cursors: 0, sessions: 0 })
  })

  it('tells what came, went, moved and changed after the instant', async () => {
    const source = await double()
    const { store } = source
    let looks = 0
    for (const name of ['short', 'moved', 'changed', 'again'])
      store.add('app', name, { documents: [encode({ _id: 1 })] })
    source.onCommand = (name) => {
      // The two before the reading, and the one after it.
      looks += name === 'listCollections' ? 1 : 0
      if (name === 'listCollections' && looks === 3) change()
    }
    const { warnings, facts } = await backUp(source.uri)
    function change(): void {
      store.add('app', 'new')
      store.drop('app', 'short')
      store.create('app', 'short')
      const moved = store.find('app', 'again')
      if (moved) store.rename(moved, 'app', 'elsewhere')
      store.add('app', 'other')
      const changed = store.find('app', 'changed')
      if (changed) changed.options = encode({ validator: { a: 1 } })
    }
    expect(facts.consistency.level).toBe('snapshot')
    const later = 'after the instant of the backup and is not in it'
    expect(warnings.toSorted()).toEqual([
      `app.again was renamed to app.elsewhere ${later}`,
      `app.new was created ${later}`,
      `app.other was created ${later}`,
      `app.short was dropped and made again ${later}`,
      `options or indexes of app.changed were changed ${later}`,
    ])
  })

  it('begins again when a collection is dropped before it is read', async () => {
    const source = await double()
    source.store.add('app', 'third', { documents: [encode({ _id: 1 })] })
    const error = await errorOf(backUp(source.uri, { onFirstChunk: () => source.store.drop('app', 'third') }))
    expect(error).toMatchObject({ code: 'source_changed', retryable: true })
    expect([source.openCursors(), source.openSessions()]).toEqual([0, 0])
  })

  it('keeps what it had of a dropped collection where there is no instant, and says so', async () => {
    const source = await double()
    const { warnings, facts } = await backUp(source.uri, {
      withoutSnapshot: 'for this test',
      onFirstChunk: () => source.store.drop('app', 'second'),
    })
    expect(facts.consistency).toMatchObject({ level: 'none', reason: 'for this test' })
    const second = facts.collections.find(({ collection }) => collection === 'second')
    expect(second?.documents).toBeLessThan(2000)
    expect(warnings).toEqual([
      `app.second was dropped while it was read: ${second?.documents} of its documents are in the backup`,
      'app.second was dropped while it was made; the backup may hold either state',
    ])
    for (const { from, to } of facts.collections)
      expect([from, to].every((time) => Date.parse(time ?? '') > 0)).toBe(true)
  })

  it('has in the backup what was created between the list of collections and the instant', async () => {
    const source = await double()
    source.onCommand = (name) => {
      if (name === 'find' && !source.store.find('app', 'just now'))
        source.store.add('app', 'just now', { documents: [encode({ _id: 1 })] })
    }
    const { facts, warnings } = await backUp(source.uri)
    expect(facts.collections.map(({ collection }) => collection)).toContain('just now')
    expect(warnings).toEqual([])
  })
})

describe('a reading that is repeated', () => {
  const changed = new Failure('reading app.a: not primary', { code: 'source_changed', retryable: true })
  const tooOld = new Failure('reading app.a: too old', { code: 'snapshot_lost', retryable: true })

  it('begins again from the start, and at the last attempt without a snapshot', async () => {
    const asked = await repeated([changed, changed, undefined])
    expect(asked).toEqual([undefined, undefined, 'the source changed under two readings: reading app.a: not primary'])
  })

  it('does without a snapshot where the server keeps too little history', async () => {
    expect(await repeated([tooOld, undefined])).toEqual([undefined, expect.stringContaining('too short a history')])
  })

  it('ends after three attempts, and at once where another attempt cannot help', async () => {
    expect(await repeated([changed, changed, changed, changed])).toHaveLength(3)
    expect(await repeated([new Failure('no', { code: 'auth' }), undefined])).toHaveLength(1)
  })
})

/** What each attempt was asked for, when the attempts end as given. */
async function repeated(ends: readonly (Failure | undefined)[]): Promise<(string | undefined)[]> {
  const asked: (string | undefined)[] = []
  const events: RunEvent[] = []
  const clock = { now: () => new Date(), monotonicMs: () => 0, sleep: () => Promise.resolve() }
  await repeatReading(
    async ({ withoutSnapshot, emit }) => {
      const failure = ends[asked.length]
      asked.push(withoutSnapshot)
      if (failure) emit(locationFailed('source', failure))
      return outcome(failure)
    },
    { runId: 'r', emit: (event) => void events.push(event), context: { clock, signal: never() } },
  )
  const last = ends[asked.length - 1]
  expect(events.filter(({ type }) => type === 'run.warning')).toHaveLength(asked.length - 1)
  expect(events.filter(({ type }) => type === 'location.failed')).toEqual(last ? [locationFailed('source', last)] : [])
  return asked
}

function locationFailed(stage: string, failure: Failure): RunEvent {
  return {
    ...{ type: 'location.failed', runId: 'r', policy: 'p', location: 'l', stage },
    failure: { code: failure.code, message: failure.message },
  }
}

function outcome(failure: Failure | undefined): BackupOutcome {
  const result = failure ? 'failed' : 'success'
  const empty = { backupId: '', stored: [], failed: [], warnings: [], sourceBytes: 0, storedBytes: 0 }
  return { ...empty, result, ...(failure ? { failure } : {}) }
}

async function replicaSet(): Promise<ReplicaSetDouble> {
  const set = await startReplicaSet([{}, {}])
  started.push(set)
  seed(set)
  return set
}

async function double() {
  const one = await startMongodb()
  started.push(one)
  seed(one)
  return one
}

function seed({ store }: Pick<ReplicaSetDouble, 'store'>): void {
  for (const name of ['first', 'second']) {
    store.add('app', name, { documents: Array.from({ length: 2000 }, (_, _id) => encode({ _id, text: TEXT })) })
  }
}
