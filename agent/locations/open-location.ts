import type { LocationConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import type { Location } from './location.ts'
import type { Retry } from './retry.ts'
import { createRetry } from './retry.ts'
import { retrying } from './retrying.ts'

export interface OpenOptions {
  readonly clock: Clock
  /** The environment of the process: the variables of a proxy are heeded. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Every kind of location there is, and the one place where decorators are stacked and retries are decided. */
export async function openLocation(config: LocationConfig, options: OpenOptions): Promise<Location> {
  const retry = createRetry({ clock: options.clock })
  return retrying(await openPlain(config, options, retry), retry)
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
      return openFtp(config, { clock })
    }
    case 'filesystem': {
      const { openFilesystem } = await import('./filesystem/filesystem-location.ts')
      return await openFilesystem(config)
    }
  }
}
