import type { LocationConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { bounded } from './bounded.ts'
import type { Location } from './location.ts'
import type { Usage } from './metered.ts'
import { metered } from './metered.ts'
import type { Retry } from './retry.ts'
import { createRetry } from './retry.ts'
import { retrying } from './retrying.ts'
import { throttled } from './throttled.ts'

export interface OpenOptions {
  readonly clock: Clock
  /** The environment of the process: the variables of a proxy are heeded. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Told once, when the location is closed, what it was used for. */
  readonly onUsage?: (location: string, usage: Usage) => void
  /** Default: `patient`. `brief`: somebody waits for the answer and would rather see the first failure. */
  readonly patience?: 'patient' | 'brief'
}

/** Of everything that uses the location in this process. A run needs three at most; this is for who deletes in bulk. */
const OPERATIONS_AT_ONCE = 8

const ATTEMPTS = {
  /** About half a minute: what restarts or fails over is back by then. */
  patient: 7,
  brief: 2,
} as const

/**
 * Every kind of location there is, and the one place where decorators are stacked and retries are decided. From the
 * inside out: at most so many operations at once, no more bytes than allowed, everything counted, and failures that may
 * pass repeated. Who waits for his next try holds no place.
 */
export async function openLocation(config: LocationConfig, options: OpenOptions): Promise<Location> {
  const { clock, onUsage, patience = 'patient' } = options
  const retry = createRetry({ clock, attempts: ATTEMPTS[patience] })
  const plain = bounded(await openPlain(config, options, retry), OPERATIONS_AT_ONCE)
  const { maxBytesPerSecond: bytesPerSecond } = config
  const limited = bytesPerSecond === undefined ? plain : throttled(plain, { clock, bytesPerSecond })
  const { location, meter } = metered(limited)
  const repeating = retrying(location, retry)
  return {
    ...repeating,
    async close() {
      await repeating.close()
      onUsage?.(config.name, meter.take())
    },
  }
}

/** Each is loaded only where it is used: the S3 SDK alone costs a process 16 MB. */
async function openPlain(config: LocationConfig, { clock, env = {} }: OpenOptions, retry: Retry): Promise<Location> {
  switch (config.storageProvider) {
    case 's3': {
      const { openS3 } = await import('./s3/s3-location.ts')
      return await openS3(config, { clock, retry, env })
    }
    case 'ftp': {
      const { openFtp } = await import('./ftp/ftp-location.ts')
      return openFtp(config, { clock, retry })
    }
    case 'filesystem': {
      const { openFilesystem } = await import('./filesystem/filesystem-location.ts')
      return await openFilesystem(config)
    }
  }
}
