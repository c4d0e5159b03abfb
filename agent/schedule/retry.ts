import { HOUR_MS, MINUTE_MS } from '../core/units.ts'

const FIRST_MS = 5 * MINUTE_MS
const FACTOR = 3
const LONGEST_MS = 4 * HOUR_MS

/**
 * How long after the `failures`-th failure in a row a run is tried again: 5 minutes, then three times as long each
 * time, at most 4 hours. Undefined when the policy is due before that anyway: then the schedule is the retry.
 */
export function retryDelayMs(failures: number, { now, nextDue }: { now: Date; nextDue: Date | undefined }) {
  const delayMs = Math.min(FIRST_MS * FACTOR ** Math.max(0, failures - 1), LONGEST_MS)
  return nextDue && nextDue.getTime() <= now.getTime() + delayMs ? undefined : delayMs
}
