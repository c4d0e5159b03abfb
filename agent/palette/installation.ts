import type { MongodbConfig } from '../config/config.ts'
import type { CertificateExpiry } from '../core/certificate.ts'
import type { InstallationFact } from '../core/events.ts'

export type Edition = 'palette' | 'vertex'

/** What is known about the Palette or VerteX that is protected. Absent is what nobody said and nothing showed. */
export interface Installation {
  readonly namespace: string
  readonly edition?: Edition
  readonly version?: string
  /** Name of the StatefulSet of its MongoDB, where it has one. */
  readonly statefulSet?: string
  /** How to reach its MongoDB. */
  readonly mongodb: MongodbConfig
  /** Those of the cluster that MongoDB is reached with; what stands in the file is not among them. */
  readonly certificates: readonly CertificateExpiry[]
  readonly facts: readonly InstallationFact[]
  /** What could not be found out, as sentences with what to do. */
  readonly problems: readonly string[]
}
