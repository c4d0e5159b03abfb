import type { MongoClient } from 'mongodb'
import type { Clock } from '../../core/clock.ts'
import type {
  CollectionFacts,
  Consistency,
  MemberFacts,
  MongodbFacts,
  SourceArtifact,
  SourceProgress,
} from '../source.ts'
import { catalogChanges } from './catalog-changes.ts'
import type { Reading } from './operation.ts'
import { Pace } from './pace.ts'
import { readArchive } from './read-archive.ts'
import type { ReadPlan } from './read-plan.ts'
import { takeInventories } from './read-plan.ts'
import { WindowForesight } from './window-foresight.ts'

export interface ArchiveReading {
  readonly client: MongoClient
  readonly reading: Reading
  readonly plan: ReadPlan
  readonly member: MemberFacts
  /** What was to be told before the reading began. */
  readonly notes: readonly string[]
  readonly toolVersion: string
  readonly maxBytesPerSecond?: number
  /** How much history the member keeps, in seconds, where it tells. */
  readonly historySeconds?: number
  readonly clock: Clock
  readonly onProgress: (progress: SourceProgress) => void
}

/** The archive while it is read, and what is known of it afterwards. */
export class ArchiveArtifact implements SourceArtifact<MongodbFacts> {
  readonly name = 'mongodb.archive'
  readonly body: AsyncIterable<Uint8Array>
  readonly #from: ArchiveReading
  readonly #collections: CollectionFacts[] = []
  readonly #notes: string[]
  #span: { readonly from: Date; readonly to: Date } | undefined

  constructor(from: ArchiveReading) {
    this.#from = from
    this.#notes = [...from.notes, ...notesOf(from.plan)]
    this.body = this.#read()
  }

  facts(): MongodbFacts {
    if (!this.#span) throw new Error('facts asked for before the archive had ended')
    const { member, plan } = this.#from
    const { serverVersion, featureCompatibilityVersion, choice } = plan
    return {
      source: 'mongodb',
      serverVersion,
      ...(featureCompatibilityVersion === undefined ? {} : { featureCompatibilityVersion }),
      consistency: this.#consistency(this.#span),
      member,
      databases: choice.databases,
      collections: [...this.#collections].sort(byNamespace),
    }
  }

  warnings(): readonly string[] {
    return this.#notes
  }

  #consistency({ from, to }: { readonly from: Date; readonly to: Date }): Consistency {
    const { at, reason } = this.#from.plan.readPoint
    const span = { from: from.toISOString(), to: to.toISOString() }
    if (at) return { level: 'snapshot', at: at.toISOString(), ...span }
    return { level: 'none', ...span, reason: reason ?? 'no snapshot was asked for' }
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    const { client, reading, plan, toolVersion, maxBytesPerSecond, clock, onProgress } = this.#from
    const from = clock.now()
    const foresight = this.#foresight()
    yield* readArchive({
      ...plan,
      ...(foresight ? { foresight } : {}),
      ...{ client, reading, toolVersion, clock, onProgress, pace: new Pace(maxBytesPerSecond, clock) },
      onCollection: (facts) => void this.#collections.push(facts),
      onNote: (note) => void this.#notes.push(note),
    })
    this.#span = { from, to: clock.now() }
    await this.#compareCatalogs()
  }

  #foresight(): WindowForesight | undefined {
    const { plan, historySeconds, maxBytesPerSecond, clock } = this.#from
    if (!plan.readPoint.at || historySeconds === undefined) return undefined
    const totalBytes = plan.collections.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const limit = maxBytesPerSecond === undefined ? {} : { limitBytesPerSecond: maxBytesPerSecond }
    return new WindowForesight({ historySeconds, totalBytes, ...limit }, clock)
  }

  /** What came, went or changed since is told: at an instant it is only later, without one it may be half in the backup. */
  async #compareCatalogs(): Promise<void> {
    const { client, reading, plan } = this.#from
    const when = plan.readPoint.at
      ? 'after the instant of the backup and is not in it'
      : 'while it was made; the backup may hold either state'
    try {
      const after = await takeInventories(client, plan.choice.databases, reading, plan.collections)
      this.#notes.push(...catalogChanges(plan.collections, after).map((change) => `${change} ${when}`))
    } catch (thrown) {
      if (reading.signal.aborted) throw thrown
      const why = thrown instanceof Error ? thrown.message : String(thrown)
      this.#notes.push(`whether collections were changed while the backup was made could not be seen: ${why}`)
    }
  }
}

function notesOf({ choice, collections, readPoint }: ReadPlan): string[] {
  const apart = readPoint.exceptCapped ? collections.filter(({ capped }) => capped) : []
  return [
    ...choice.absent.map((name) => `database ${name} does not exist and is not in the backup`),
    ...apart.map(
      ({ database, collection }) =>
        `${database}.${collection} is capped: this server cannot read it at the instant of the others`,
    ),
  ]
}

function byNamespace(a: CollectionFacts, b: CollectionFacts): number {
  return compare(a.database, b.database) || compare(a.collection, b.collection)
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
