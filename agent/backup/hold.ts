import { toFailure } from '../core/errors.ts'
import type { Location } from '../locations/location.ts'
import type { InFlightOptions } from './in-flight.ts'
import { InFlight } from './in-flight.ts'

/** What ending a hold may take, whatever has happened meanwhile. */
const RELEASE_MS = 10_000

/**
 * Puts on record in the location that a backup is being read, so that no retention deletes it meanwhile, and runs the
 * task. A location that cannot be written to is told to `warn`; the task runs all the same.
 */
export async function holdBackup<T>(
  location: Location,
  options: InFlightOptions & { readonly warn: (message: string) => void },
  task: () => Promise<T>,
): Promise<T> {
  const record = new InFlight(location, options)
  try {
    await record.open()
  } catch (thrown) {
    if (options.signal.aborted) throw thrown
    const { message } = toFailure(thrown)
    options.warn(`retention may delete ${options.backupId} while it is read, no record could be written: ${message}`)
    return await task()
  }
  try {
    return await task()
  } finally {
    // A record that stays is swept once this process is gone.
    await record.close(AbortSignal.timeout(RELEASE_MS)).catch(() => undefined)
  }
}
