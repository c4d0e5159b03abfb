import type { CallOptions, Entry, Leftover, Location } from '../locations/location.ts'
import { keyOfTemporary, PROBE_NAME, probesPrefix } from '../locations/location.ts'
import type { InFlightRecord } from './in-flight.ts'
import { parseKey, policyPrefix, RESTORE_RECORD, restoresPrefix, runsPrefix } from './keys.ts'
import { GRACE_MS } from './orphans.ts'

export interface StrayOptions extends CallOptions {
  readonly clusterName: string
  readonly policies: readonly string[]
  readonly now: Date
  readonly records: readonly InFlightRecord[]
  readonly dead: readonly InFlightRecord[]
}

const RUN = /^([^/.]+)\.json$/

/**
 * What unfinished puts wrote to and no record names: a record cannot be on record itself, nor are the small objects
 * beside a backup. What a dead run was writing its own record to goes with that record; everything else when its name is
 * of our making, no record has to do with it, and it has lain there for longer than any run takes.
 */
export async function findStrays(location: Location, options: StrayOptions): Promise<Leftover[]> {
  const { clusterName, policies, records, now } = options
  const dead = new Set(options.dead.map(({ run_id }) => run_id))
  const alive = new Set(records.map(({ run_id }) => run_id).filter((runId) => !dead.has(runId)))
  const onRecord = new Set(records.flatMap(({ leftovers }) => leftovers.map(({ handle }) => handle)))
  const isOld = ({ modified }: Entry): boolean =>
    modified !== undefined && now.getTime() - modified.getTime() > GRACE_MS

  const strays: Leftover[] = []
  const look = async (prefix: string, isStray: (name: string, entry: Entry) => boolean): Promise<void> => {
    for (const entry of await location.list(prefix, { ...options, shallow: true, temporaries: true })) {
      const key = keyOfTemporary(entry.key)
      if (key === undefined || onRecord.has(entry.key)) continue
      if (isStray(key.slice(prefix.length), entry)) strays.push({ key, handle: entry.key })
    }
  }
  await look(runsPrefix(clusterName), (name, entry) => {
    const runId = RUN.exec(name)?.[1]
    return runId !== undefined && !alive.has(runId) && (dead.has(runId) || isOld(entry))
  })
  await look(restoresPrefix(clusterName), (name, entry) => RESTORE_RECORD.test(name) && isOld(entry))
  await look(probesPrefix(`${clusterName}/`), (name, entry) => PROBE_NAME.test(name) && isOld(entry))
  for (const policy of policies) {
    const prefix = policyPrefix(clusterName, policy)
    await look(prefix, (name, entry) => parseKey(prefix, prefix + name) !== undefined && isOld(entry))
  }
  return strays
}
