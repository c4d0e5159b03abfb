import { afterAll, beforeAll, describe } from 'vitest'
import { contentCases } from './location/contents.ts'
import { interruptedCases } from './location/interrupted.ts'
import { keyCases } from './location/keys.ts'
import { leftoverCases } from './location/leftovers.ts'
import { listingCases } from './location/listing.ts'
import type { ConformanceOptions, LocationUnderTest } from './location/subject.ts'
import { Subject } from './location/subject.ts'

/** What every location promises (agent/locations/location.ts), attacked. Call it inside a test file, once a location. */
export function locationConformance(
  name: string,
  make: () => Promise<LocationUnderTest>,
  options: ConformanceOptions = {},
): void {
  describe(`location ${name}`, () => {
    const subject = new Subject()
    beforeAll(() => subject.start(make))
    afterAll(() => subject.stop())

    contentCases(subject, options)
    listingCases(subject, options)
    keyCases(subject)
    interruptedCases(subject)
    leftoverCases(subject)
  })
}
