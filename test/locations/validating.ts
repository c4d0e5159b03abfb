import { systemClock } from '../../agent/core/clock.ts'
import type { Location } from '../../agent/locations/location.ts'
import type { ValidateOptions } from '../../agent/locations/validate.ts'
import { validateLocation } from '../../agent/locations/validate.ts'

export function validate(location: Location, changes: Partial<ValidateOptions> = {}) {
  return validateLocation(location, {
    permission: 'readwrite',
    ...live(),
    clock: systemClock,
    prefix: 'prod/',
    ...changes,
  })
}

export function live() {
  return { signal: new AbortController().signal }
}
