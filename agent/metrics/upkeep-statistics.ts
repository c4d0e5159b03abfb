import type { RunEvent } from '../core/events.ts'

/** What was done to the backups of one policy in one location beside making them. */
export interface PairUpkeep {
  deletions: number
  deletionFailures: number
  /** The last retention deleted nothing because it would have been too much at once. */
  retentionRefused: boolean
  readonly verifications: { success: number; failed: number }
}

export interface LocationUpkeep {
  readonly catalogReads: { success: number; failed: number }
  lastSweep: Date | undefined
  sweptObjects: number
  sweepFailures: number
  readonly operations: Map<string, number>
  readonly errors: Map<string, number>
  sentBytes: number
  receivedBytes: number
}

/** Retention, verification, sweeping and catalogs, folded from events. Holds exactly what is configured. */
export class UpkeepStatistics {
  readonly #now: () => Date
  readonly #pairs = new Map<string, PairUpkeep>()
  readonly #locations = new Map<string, LocationUpkeep>()

  constructor(now: () => Date) {
    this.#now = now
  }

  /** Adds what is new, keeps what stays, forgets the rest. */
  configure(
    pairs: readonly { readonly policy: string; readonly location: string }[],
    locations: readonly string[],
  ): void {
    const keys = pairs.map(({ policy, location }) => keyOf(policy, location))
    keepExactly(this.#pairs, keys, noUpkeep)
    keepExactly(this.#locations, locations, unused)
  }

  pair(policy: string, location: string): Readonly<PairUpkeep> {
    return this.#pairs.get(keyOf(policy, location)) ?? noUpkeep()
  }

  locations(): Iterable<readonly [string, Readonly<LocationUpkeep>]> {
    return this.#locations
  }

  onEvent(event: RunEvent): void {
    switch (event.type) {
      case 'backup.deleted':
        this.#ofPair(event, (pair) => {
          pair.deletions += 1
        })
        break
      case 'retention.applied':
        this.#ofPair(event, (pair) => {
          pair.deletionFailures += event.failures
          pair.retentionRefused = event.refused
        })
        break
      case 'backup.verified':
        this.#ofPair(event, ({ verifications }) => {
          verifications[event.ok ? 'success' : 'failed'] += 1
        })
        break
      case 'catalog.read':
        this.#ofLocation(event, ({ catalogReads }) => {
          catalogReads.success += 1
        })
        break
      case 'catalog.failed':
        if (event.failure.code === 'cancelled') break
        this.#ofLocation(event, ({ catalogReads }) => {
          catalogReads.failed += 1
        })
        break
      case 'location.swept':
        this.#ofLocation(event, (location) => {
          location.lastSweep = this.#now()
          location.sweptObjects += event.objects
          location.sweepFailures += event.failures
        })
        break
      case 'location.used':
        this.#ofLocation(event, (location) => {
          addAll(location.operations, event.operations)
          addAll(location.errors, event.errors)
          location.sentBytes += event.sentBytes
          location.receivedBytes += event.receivedBytes
        })
        break
      default:
    }
  }

  #ofPair({ policy, location }: { policy: string; location: string }, change: (pair: PairUpkeep) => void): void {
    const known = this.#pairs.get(keyOf(policy, location))
    if (known) change(known)
  }

  #ofLocation({ location }: { location: string }, change: (location: LocationUpkeep) => void): void {
    const known = this.#locations.get(location)
    if (known) change(known)
  }
}

function addAll(totals: Map<string, number>, counts: Readonly<Partial<Record<string, number>>>): void {
  for (const [name, count = 0] of Object.entries(counts)) totals.set(name, (totals.get(name) ?? 0) + count)
}

function keepExactly<Value>(map: Map<string, Value>, keys: readonly string[], fresh: () => Value): void {
  const known = new Map(map)
  map.clear()
  for (const key of keys) map.set(key, known.get(key) ?? fresh())
}

/** Names hold no line breaks. */
function keyOf(policy: string, location: string): string {
  return `${policy}\n${location}`
}

function noUpkeep(): PairUpkeep {
  return { deletions: 0, deletionFailures: 0, retentionRefused: false, verifications: { success: 0, failed: 0 } }
}

function unused(): LocationUpkeep {
  return {
    catalogReads: { success: 0, failed: 0 },
    lastSweep: undefined,
    sweptObjects: 0,
    sweepFailures: 0,
    operations: new Map(),
    errors: new Map(),
    sentBytes: 0,
    receivedBytes: 0,
  }
}
