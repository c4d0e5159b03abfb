import type { Config } from '../config/config.ts'
import { Failure, toFailure } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { Location } from '../locations/location.ts'
import { type OpenOptions, openLocation } from '../locations/open-location.ts'

export interface OpenedLocations extends AsyncDisposable {
  readonly usable: readonly Location[]
  readonly unusable: readonly { readonly name: string; readonly failure: Failure }[]
}

/** Opens locations by name; one that cannot be opened hides nothing of the others. */
export async function openLocations(
  config: Config,
  names: readonly string[],
  options: OpenOptions,
): Promise<OpenedLocations> {
  const usable: Location[] = []
  const unusable: { name: string; failure: Failure }[] = []
  for (const name of names) {
    const settings = config.locations.find((one) => one.name === name)
    if (!settings) throw new Failure(`there is no backup_storage_location named ${name}`, { code: 'config' })
    try {
      usable.push(await openLocation(settings, options))
    } catch (thrown) {
      unusable.push({ name, failure: toFailure(thrown, `opening ${name}`) })
    }
  }
  return {
    usable,
    unusable,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(usable.map((location) => location.close()))
    },
  }
}

/** Tells what a run used its locations for, when it closes them. */
export function reportUsage(runId: string, emit: Emit): Pick<OpenOptions, 'onUsage'> {
  return {
    onUsage: (location, { operations, ...usage }) =>
      emit({ type: 'location.used', runId, location, operations: { ...operations }, ...usage }),
  }
}
