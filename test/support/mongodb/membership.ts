import { CommandError } from './errors.ts'

/** MongoDB manual, Replica Set Member States; `DOWN` is what the others say of one they cannot reach. */
export type MemberState = 'PRIMARY' | 'SECONDARY' | 'RECOVERING' | 'ARBITER' | 'DOWN' | 'ROLLBACK'

const STATE_NUMBERS: Readonly<Record<MemberState, number>> = {
  PRIMARY: 1,
  SECONDARY: 2,
  RECOVERING: 3,
  ARBITER: 7,
  DOWN: 8,
  ROLLBACK: 9,
}

/** MongoDB manual, Self-Managed Replica Set Configuration, "members[n]". */
export interface MemberSettings {
  readonly hidden?: boolean
  readonly arbiter?: boolean
  readonly priority?: number
  readonly buildIndexes?: boolean
  /** `secondaryDelaySecs`. */
  readonly delaySeconds?: number
}

export interface Member {
  readonly id: number
  readonly settings: MemberSettings
  /** `host:port`; known once it listens. */
  address: string
  state: MemberState
  /** How far it is behind the primary. */
  lagSeconds: number
}

/** What the members of a replica set know of each other; the doubles of one set share it. */
export class Membership {
  readonly setName: string
  readonly members: readonly Member[]
  term = 1

  /** The first member is the primary. */
  constructor(setName: string, members: readonly MemberSettings[]) {
    this.setName = setName
    this.members = members.map((settings, id) => ({
      id,
      settings,
      address: '',
      state: id === 0 ? 'PRIMARY' : settings.arbiter ? 'ARBITER' : 'SECONDARY',
      lagSeconds: settings.delaySeconds ?? 0,
    }))
  }

  get primary(): Member | undefined {
    return this.members.find(({ state }) => state === 'PRIMARY')
  }

  /** The old primary, if there is one, goes on as a secondary and keeps its connections. MongoDB manual, replSetStepDown. */
  elect(id: number): void {
    for (const member of this.members) {
      if (member.state === 'PRIMARY') member.state = 'SECONDARY'
      if (member.id === id) member.state = 'PRIMARY'
    }
    this.term += 1
  }
}

/** Never a primary: priority 0, which hidden and delayed members must have. */
export function isPassive({ hidden, delaySeconds = 0, priority = 1 }: MemberSettings): boolean {
  return priority === 0 || hidden === true || delaySeconds > 0
}

export function stateNumber(state: MemberState): number {
  return STATE_NUMBERS[state]
}

/** What a member that holds no readable data answers. MongoDB manual, Replica Set Member States. */
export function requireReadable(member: Member | undefined): void {
  if (!member || member.state === 'PRIMARY' || member.state === 'SECONDARY') return
  throw new CommandError(13436, 'node is not in primary or recovering state')
}

export function requireWritable(member: Member | undefined): void {
  if (!member || member.state === 'PRIMARY') return
  throw new CommandError(10107, 'not primary')
}
