import { type MemberSettings, type MemberState, Membership } from './membership.ts'
import { type MongodbDouble, type MongodbOptions, startMongodb } from './server.ts'
import { Store } from './store.ts'

/** A running replica set of doubles: each a server of its own, all with the same documents. */
export interface ReplicaSetDouble extends AsyncDisposable {
  readonly uri: string
  readonly store: Store
  readonly members: readonly MongodbDouble[]
  elect(id: number): void
  /** How far a member is behind; snapshot reads that name no time are that old. */
  lag(id: number, seconds: number): void
  /** Into another state; one that is not readable loses its connections. */
  become(id: number, state: MemberState): void
  /** The member is gone; the others say it is down. */
  kill(id: number): Promise<void>
  /** Cursors and sessions that clients left open on any member. */
  left(): { readonly cursors: number; readonly sessions: number }
  stop(): Promise<void>
}

/** Starts a replica set `rs0`; the first member is the primary. */
export async function startReplicaSet(
  settings: readonly MemberSettings[],
  options: MongodbOptions = {},
): Promise<ReplicaSetDouble> {
  const membership = new Membership('rs0', settings)
  const store = new Store()
  const members: MongodbDouble[] = []
  for (const member of membership.members)
    members.push(await startMongodb({ ...options, joins: { membership, member, store } }))
  const stop = async (): Promise<void> => void (await Promise.all(members.map((member) => member.stop())))
  const become = (id: number, state: MemberState): void => {
    const member = membership.members[id]
    if (member) member.state = state
    if (state !== 'PRIMARY' && state !== 'SECONDARY') members[id]?.hangUp()
  }
  const sum = (of: (member: MongodbDouble) => number): number =>
    members.reduce((total, member) => total + of(member), 0)
  return {
    uri: members[0]?.uri ?? '',
    store,
    members,
    elect: (id) => membership.elect(id),
    lag(id, seconds) {
      const member = membership.members[id]
      if (member) member.lagSeconds = seconds
    },
    become,
    async kill(id) {
      become(id, 'DOWN')
      await members[id]?.stop()
    },
    left: () => ({ cursors: sum((member) => member.openCursors()), sessions: sum((member) => member.openSessions()) }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
