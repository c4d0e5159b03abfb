import { isAhead } from '../core/clock.ts'
import type { BackupFacts, BackupSummary, RunEvent } from '../core/events.ts'
import { isGood } from '../core/events.ts'

/** What is known of the backups of one policy in one location. */
export interface CatalogSummary {
  readonly backups: number
  /** How many bear a time that has not come: a clock was or is wrong. They are the newest nowhere. */
  readonly ahead: number
  /** Starts of backups. A complete one is one in which every source gave everything, and nothing is known against it. */
  readonly newest: Date | undefined
  readonly newestComplete: Date | undefined
  readonly oldest: Date | undefined
  readonly pinned: number
  readonly verified: number
  readonly damaged: number
  readonly newestVerified: Date | undefined
  /** Of the newest complete one; undefined while its manifest was not read. */
  readonly facts: BackupFacts | undefined
  /** When the location was last asked; undefined when only this agent's own backups are known. */
  readonly readAt: Date | undefined
}

interface Stored {
  readonly startedAt: Date
  readonly complete: boolean
  readonly pinned: boolean
  readonly verified: boolean
  readonly damaged: boolean
  readonly unreadable: boolean
}

interface Catalog {
  readonly backups: Map<string, Stored>
  readonly summary: CatalogSummary
}

interface Pair {
  readonly policy: string
  readonly location: string
}

type Event<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>

/** The catalogs of all locations as last heard of in events: read from the locations, then kept up to date. */
export class CatalogState {
  readonly #now: () => Date
  readonly #catalogs = new Map<string, Catalog>()
  /** Backups that were stored while a catalog run listed: its listing may have come too early for them. */
  readonly #storedDuring = new Map<string, Event<'location.stored'>[]>()

  constructor(now: () => Date) {
    this.#now = now
  }

  onEvent(event: RunEvent): void {
    switch (event.type) {
      case 'run.started':
        if (event.kind === 'catalog') this.#storedDuring.set(event.runId, [])
        break
      case 'run.finished':
        this.#storedDuring.delete(event.runId)
        break
      case 'location.stored':
        for (const stored of this.#storedDuring.values()) stored.push(event)
        this.#change(event, (backups) => backups.set(event.backupId, entryOf(event)), factsOf(event))
        break
      case 'backup.verified':
        this.#change(event, (backups) => {
          const known = backups.get(event.backupId)
          if (known) backups.set(event.backupId, { ...known, verified: event.ok, damaged: !event.ok })
        })
        break
      case 'backup.deleted':
        this.#change(event, (backups) => backups.delete(event.backupId))
        break
      case 'catalog.read':
        this.#replace(event)
        break
      default:
    }
  }

  of(policy: string, location: string): CatalogSummary {
    const now = this.#now()
    const { backups, summary } = this.#catalogs.get(keyOf({ policy, location })) ?? UNKNOWN
    const { ahead, newest, readAt, facts } = summary
    // What is ahead comes of age, and a clock that is put right shows what was not ahead of the wrong one.
    const isMoot = ahead > 0 || (newest && isAhead(newest, now))
    return isMoot ? summarize(backups, readAt, facts, now) : summary
  }

  /** Every backup that is known of a policy in a location, newest first. */
  backups(policy: string, location: string): BackupSummary[] {
    const known = this.#catalogs.get(keyOf({ policy, location }))?.backups ?? new Map<string, Stored>()
    return [...known]
      .map(([backupId, { startedAt, ...facts }]) => {
        return { backupId, policy, location, startedAt: startedAt.toISOString(), ...facts }
      })
      .sort((a, b) => (a.backupId < b.backupId ? 1 : -1))
  }

  /** Start of the newest backup of a policy in these locations, complete or not. */
  newest(policy: string, locations: readonly string[]): Date | undefined {
    const starts = locations.map((location) => this.of(policy, location).newest?.getTime() ?? 0)
    const newest = Math.max(0, ...starts)
    return newest > 0 ? new Date(newest) : undefined
  }

  /** Forgets everything else. */
  keepOnly(pairs: readonly Pair[]): void {
    const kept = new Set(pairs.map(keyOf))
    for (const key of this.#catalogs.keys()) if (!kept.has(key)) this.#catalogs.delete(key)
  }

  #replace(event: Event<'catalog.read'>): void {
    const backups = new Map(event.backups.map((backup) => [backup.backupId, entryOf(backup)]))
    let facts = event.newest
    for (const stored of this.#storedDuring.get(event.runId) ?? []) {
      if (keyOf(stored) !== keyOf(event)) continue
      backups.set(stored.backupId, entryOf(stored))
      facts = factsOf(stored) ?? facts
    }
    this.#catalogs.set(keyOf(event), { backups, summary: summarize(backups, this.#now(), facts, this.#now()) })
  }

  #change(of: Pair, edit: (backups: Map<string, Stored>) => void, facts?: BackupFacts): void {
    const known = this.#catalogs.get(keyOf(of))
    const backups = known?.backups ?? new Map<string, Stored>()
    edit(backups)
    const summary = summarize(backups, known?.summary.readAt, facts ?? known?.summary.facts, this.#now())
    this.#catalogs.set(keyOf(of), { backups, summary })
  }
}

const UNKNOWN: Catalog = { backups: new Map(), summary: summarize(new Map(), undefined, undefined, new Date(0)) }

/** Names hold no line breaks. */
function keyOf({ policy, location }: Pair): string {
  return `${policy}\n${location}`
}

function entryOf(backup: Omit<BackupSummary, 'backupId' | 'policy' | 'location'>): Stored {
  const { startedAt, complete, pinned = false, verified = false, damaged = false, unreadable = false } = backup
  return { startedAt: new Date(startedAt), complete, pinned, verified, damaged, unreadable }
}

function factsOf(stored: Event<'location.stored'>): BackupFacts | undefined {
  const { complete, storedBytes, sourceBytes = 0, consistent = false } = stored
  return complete ? { storedBytes, sourceBytes, consistent } : undefined
}

function summarize(
  backups: ReadonlyMap<string, Stored>,
  readAt: Date | undefined,
  facts: BackupFacts | undefined,
  now: Date,
): CatalogSummary {
  let newest: Date | undefined
  let newestComplete: Date | undefined
  let newestVerified: Date | undefined
  let oldest: Date | undefined
  let ahead = 0
  let pinned = 0
  let verified = 0
  let damaged = 0
  for (const backup of backups.values()) {
    const { startedAt } = backup
    if (backup.pinned) pinned += 1
    if (backup.verified) verified += 1
    if (backup.damaged) damaged += 1
    if (isAhead(startedAt, now)) {
      ahead += 1
      continue
    }
    if (!newest || startedAt > newest) newest = startedAt
    if (isGood(backup) && (!newestComplete || startedAt > newestComplete)) newestComplete = startedAt
    if (backup.verified && !backup.unreadable && (!newestVerified || startedAt > newestVerified))
      newestVerified = startedAt
    if (!oldest || startedAt < oldest) oldest = startedAt
  }
  const known = newestComplete ? facts : undefined
  return {
    backups: backups.size,
    ahead,
    newest,
    newestComplete,
    oldest,
    pinned,
    verified,
    damaged,
    newestVerified,
    facts: known,
    readAt,
  }
}
