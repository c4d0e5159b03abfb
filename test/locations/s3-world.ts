import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach } from 'vitest'
import { MIB } from '../../agent/core/units.ts'
import type { Location } from '../../agent/locations/location.ts'
import { openS3Double } from '../support/s3/open.ts'
import type { S3Double } from '../support/s3/server.ts'
import { startS3 } from '../support/s3/server.ts'

export const SLOW_DOWN = { kind: 'refuse', status: 503, code: 'SlowDown' } as const
export const FOR_EVER = Number.POSITIVE_INFINITY

export let s3: S3Double
export let location: Location
export const large = randomBytes(20 * MIB)
export const small = Buffer.from('a manifest')

/** A server and a location on it, new for each test of the file that calls it. */
export function useS3(): void {
  beforeEach(async () => {
    s3 = await startS3()
    location = await openS3Double(s3)
  })

  afterEach(async () => {
    await location.close()
    await s3.stop()
  })
}

export function live() {
  return { signal: new AbortController().signal }
}
