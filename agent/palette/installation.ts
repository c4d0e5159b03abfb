import type { MongodbConfig } from '../config/config.ts'

export type Edition = 'palette' | 'vertex'

/** One thing that was found out about an installation, for people: where it comes from stands beside it. */
export interface Fact {
  /** `edition`, `mongodb.members`, ... */
  readonly name: string
  readonly value: string
  /** `StatefulSet hubble-system/mongo`, `configuration`, ... */
  readonly from: string
}

/** What is known about the Palette or VerteX that is protected. Absent is what nobody said and nothing showed. */
export interface Installation {
  readonly namespace: string
  readonly edition?: Edition
  readonly version?: string
  /** How to reach its MongoDB. */
  readonly mongodb: MongodbConfig
  readonly facts: readonly Fact[]
  /** What could not be found out, as sentences with what to do. */
  readonly problems: readonly string[]
}
