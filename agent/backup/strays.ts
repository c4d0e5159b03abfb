import type { CallOptions, Leftover, Location } from '../locations/location.ts'
import type { InFlightRecord } from './in-flight.ts'
import { runsPrefix } from './keys.ts'
import { GRACE_MS } from './orphans.ts'

export interface StrayOptions extends CallOptions {
  readonly clusterName: string
  readonly now: Date
  /** Ids of runs whose records were found and that still go on. */
  readonly alive: ReadonlySet<string>
  readonly dead: readonly InFlightRecord[]
}

const RECORD = /\/([^/.]+)\.json\.[^/]+$/

/**
 * A record cannot be on record itself: a run that died while it wrote its own left a temporary file that nothing names.
 * It goes with the record of its run; without one, when it has been there for longer than any run takes.
 */
export async function findStrays(location: Location, options: StrayOptions): Promise<Leftover[]> {
  const prefix = runsPrefix(options.clusterName)
  const dead = new Set(options.dead.map(({ run_id }) => run_id))
  const strays: Leftover[] = []
  for (const { key: handle, modified } of await location.list(prefix, { ...options, temporaries: true })) {
    const runId = RECORD.exec(handle)?.[1]
    if (runId === undefined || options.alive.has(runId)) continue
    const isOld = modified !== undefined && options.now.getTime() - modified.getTime() > GRACE_MS
    if (dead.has(runId) || isOld) strays.push({ key: `${prefix}${runId}.json`, handle })
  }
  return strays
}
