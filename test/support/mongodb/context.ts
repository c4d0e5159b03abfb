import type { Batch, Cursors } from './cursors.ts'
import type { Fields } from './encode.ts'
import type { Member, Membership } from './membership.ts'
import type { Retries } from './retries.ts'
import type { Account, ScramConversation } from './scram.ts'
import type { Sessions } from './sessions.ts'
import type { Store } from './store.ts'
import type { Request } from './wire.ts'

/** What the double pretends to be. */
export interface Settings {
  /** Absent for a standalone. */
  readonly setName: string | undefined
  readonly membership: Membership | undefined
  /** This member of it. */
  readonly member: Member | undefined
  /** `host:port` under which the member knows itself. */
  readonly address: string
  readonly version: string
  readonly snapshotReads: boolean
  readonly account: Account | undefined
}

/** The life of one connection. */
export interface ConnectionState {
  readonly id: number
  authenticated: boolean
  conversation: ScramConversation | undefined
}

export interface Context {
  readonly settings: Settings
  readonly store: Store
  readonly cursors: Cursors
  readonly retries: Retries
  readonly sessions: Sessions
  readonly connection: ConnectionState
}

/** A command that answers with fields; `ok` and the times are added to them. */
export type FieldsCommand = (request: Request, context: Context) => Fields
/** A command that answers with a batch of documents. */
export type BatchCommand = (request: Request, context: Context) => Batch
