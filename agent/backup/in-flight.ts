import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { lacksRight } from '../core/errors.ts'
import { MINUTE_MS } from '../core/units.ts'
import type { CallOptions, Leftover, Location } from '../locations/location.ts'
import { replayable } from '../locations/location.ts'
import { runKey } from './keys.ts'

/** Which process writes: enough for another one on the same machine to see whether it is still there. */
export const Owner = z.object({ host: z.string(), boot: z.string(), pid: z.int(), started: z.string() })
export type Owner = Readonly<z.infer<typeof Owner>>

/** What a run in flight holds in a location: `.runs/<run_id>.json`. */
export const InFlightRecord = z.object({
  format_version: z.literal(1),
  run_id: z.string(),
  policy: z.string(),
  backup_id: z.string(),
  owner: Owner,
  started_at: z.iso.datetime(),
  heartbeat_at: z.iso.datetime(),
  leftovers: z.array(z.object({ key: z.string(), handle: z.string() })),
  /** Ids of backups of the same policy whose deletion was begun. */
  deleting: z.array(z.string()).exactOptional(),
  /** What the source has changed where it reads and must put back; a text of its own. */
  receipts: z.array(z.string()).default([]),
  /** What the run does with the backup. */
  doing: z.enum(['backup', 'restore', 'verify', 'prune']).exactOptional(),
  /** `host:port` of the server that a restore goes into. */
  target: z.string().exactOptional(),
  /** The run is over, and its record may not be deleted. */
  ended_at: z.iso.datetime().exactOptional(),
  /** The run whose name the record lies under, where that is an earlier one's that may not be deleted. */
  slot: z.string().exactOptional(),
})
export type InFlightRecord = Readonly<z.infer<typeof InFlightRecord>>

/** Undefined for what is no record that this program can read. */
export function parseRecord(bytes: Uint8Array): InFlightRecord | undefined {
  try {
    return InFlightRecord.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data
  } catch {
    return undefined
  }
}

/** Where a record lies. */
export function recordKey(clusterName: string, { run_id: runId, slot = runId }: InFlightRecord): string {
  return runKey(clusterName, slot)
}

export const HEARTBEAT_MS = 2 * MINUTE_MS

export interface InFlightOptions {
  readonly clusterName: string
  readonly runId: string
  readonly policy: string
  readonly backupId: string
  readonly doing: NonNullable<InFlightRecord['doing']>
  /** `host:port` of the server that a restore goes into. */
  readonly target?: string
  readonly owner: Owner
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * The record of one run in one location. Palette's documented IAM policy cannot list multipart uploads, so an upload
 * can only be aborted by who remembers its id: the id is on record before the first part goes out.
 */
export class InFlight {
  readonly #location: Location
  readonly #options: InFlightOptions
  #slot: string
  readonly #startedAt: string
  readonly #leftovers: Leftover[] = []
  #deleting: readonly string[] = []
  readonly #receipts = new Set<string>()
  readonly #ended = new AbortController()
  #writing: Promise<void> = Promise.resolve()
  #beating: Promise<void> = Promise.resolve()

  constructor(location: Location, options: InFlightOptions) {
    this.#location = location
    this.#options = options
    this.#slot = options.runId
    this.#startedAt = options.clock.now().toISOString()
  }

  /** `slot`: the name of the record of a run that is over, to be written instead of another one. */
  async open(slot?: string): Promise<void> {
    this.#slot = slot ?? this.#slot
    await this.#write()
    this.#beating = this.#beat()
  }

  async remember(leftover: Leftover): Promise<void> {
    this.#leftovers.push(leftover)
    await this.#write()
  }

  async rememberDeleting(backupIds: readonly string[]): Promise<void> {
    this.#deleting = backupIds
    await this.#write()
  }

  async addReceipt(receipt: string): Promise<void> {
    this.#receipts.add(receipt)
    await this.#write()
  }

  async removeReceipt(receipt: string): Promise<void> {
    if (this.#receipts.delete(receipt)) await this.#write()
  }

  /** For a run that failed: what its puts could not remove at their time. What is gone already stays so. */
  async discardLeftovers(signal: AbortSignal): Promise<void> {
    for (const leftover of this.#leftovers) await this.#location.discard(leftover, { signal })
  }

  /**
   * Removes the record, unless something is left that only the record knows: then the sweep of another run needs it. Where
   * nothing may be deleted, it says that the run is over.
   */
  async close(signal: AbortSignal): Promise<void> {
    await this.stop()
    if (this.#receipts.size > 0) return
    try {
      await this.#location.delete(runKey(this.#options.clusterName, this.#slot), { signal })
    } catch (thrown) {
      if (!lacksRight(thrown)) throw thrown
      this.#leftovers.length = 0
      this.#deleting = []
      await this.#put({ signal, endedAt: this.#options.clock.now() })
    }
  }

  /** Ends the heartbeat and leaves the record for the sweep. */
  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#beating
    await this.#writing.catch(() => undefined)
  }

  async #beat(): Promise<void> {
    const signal = AbortSignal.any([this.#options.signal, this.#ended.signal])
    while (!signal.aborted) {
      await this.#options.clock.sleep(HEARTBEAT_MS, { signal, unref: true }).catch(() => undefined)
      // A heartbeat that cannot be written now is written next time; the run itself will meet the fault.
      if (!signal.aborted) await this.#write().catch(() => undefined)
    }
  }

  #write(): Promise<void> {
    // One after the other: an older record must never overwrite a newer one.
    const write = this.#writing.catch(() => undefined).then(() => this.#put(this.#options))
    this.#writing = write
    return write
  }

  async #put({ signal, endedAt }: CallOptions & { readonly endedAt?: Date }): Promise<void> {
    const { runId, policy, backupId, owner, clock, doing, target } = this.#options
    const record: InFlightRecord = {
      format_version: 1,
      run_id: runId,
      policy,
      backup_id: backupId,
      owner,
      started_at: this.#startedAt,
      heartbeat_at: clock.now().toISOString(),
      leftovers: [...this.#leftovers],
      ...(this.#deleting.length > 0 ? { deleting: [...this.#deleting] } : {}),
      receipts: [...this.#receipts],
      doing,
      ...(target === undefined ? {} : { target }),
      ...(endedAt ? { ended_at: endedAt.toISOString() } : {}),
      ...(this.#slot === runId ? {} : { slot: this.#slot }),
    }
    await this.#location.put(
      recordKey(this.#options.clusterName, record),
      replayable(Buffer.from(`${JSON.stringify(record)}\n`)),
      { signal },
    )
  }
}
