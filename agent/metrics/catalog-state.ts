import type { RunEvent } from '../core/events.ts'

/** What is known of the backups of one policy in one location. */
export interface CatalogSummary {
  readonly backups: number
  /** Starts of backups. A complete one is one in which every source gave everything. */
  readonly newest: Date | undefined
  readonly newestComplete: Date | undefined
  readonly oldest: Date | undefined
  /** When the location was last asked; undefined when only this agent's own backups are known. */
  readonly readAt: Date | undefined
}

interface Stored {
  readonly startedAt: Date
  readonly complete: boolean
}

interface Catalog {
  readonly backups: Map<string, Stored>
  readonly summary: CatalogSummary
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
        this.#change(event, (backups) => backups.set(event.backupId, entryOf(event)))
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
    return this.#catalogs.get(keyOf({ policy, location }))?.summary ?? summarize(new Map(), undefined)
  }

  /** Start of the newest backup of a policy in these locations, complete or not. */
  newest(policy: string, locations: readonly string[]): Date | undefined {
    const starts = locations.map((location) => this.of(policy, location).newest?.getTime() ?? 0)
    const newest = Math.max(0, ...starts)
    return newest > 0 ? new Date(newest) : undefined
  }

  /** Forgets everything else. */
  keepOnly(pairs: readonly { readonly policy: string; readonly location: string }[]): void {
    const kept = new Set(pairs.map(keyOf))
    for (const key of this.#catalogs.keys()) if (!kept.has(key)) this.#catalogs.delete(key)
  }

  #replace(event: Event<'catalog.read'>): void {
    const backups = new Map(event.backups.map((backup) => [backup.backupId, entryOf(backup)]))
    for (const stored of this.#storedDuring.get(event.runId) ?? []) {
      if (keyOf(stored) === keyOf(event)) backups.set(stored.backupId, entryOf(stored))
    }
    this.#catalogs.set(keyOf(event), { backups, summary: summarize(backups, this.#now()) })
  }

  #change(of: { policy: string; location: string }, edit: (backups: Map<string, Stored>) => void): void {
    const known = this.#catalogs.get(keyOf(of))
    const backups = known?.backups ?? new Map<string, Stored>()
    edit(backups)
    this.#catalogs.set(keyOf(of), { backups, summary: summarize(backups, known?.summary.readAt) })
  }
}

/** Names hold no line breaks. */
function keyOf({ policy, location }: { readonly policy: string; readonly location: string }): string {
  return `${policy}\n${location}`
}

function entryOf({ startedAt, complete }: { readonly startedAt: string; readonly complete: boolean }): Stored {
  return { startedAt: new Date(startedAt), complete }
}

function summarize(backups: ReadonlyMap<string, Stored>, readAt: Date | undefined): CatalogSummary {
  let newest: Date | undefined
  let newestComplete: Date | undefined
  let oldest: Date | undefined
  for (const { startedAt, complete } of backups.values()) {
    if (!newest || startedAt > newest) newest = startedAt
    if (complete && (!newestComplete || startedAt > newestComplete)) newestComplete = startedAt
    if (!oldest || startedAt < oldest) oldest = startedAt
  }
  return { backups: backups.size, newest, newestComplete, oldest, readAt }
}
