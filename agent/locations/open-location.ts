import type { LocationConfig } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { openFilesystem } from './filesystem/filesystem-location.ts'
import { openFtp } from './ftp/ftp-location.ts'
import type { Location } from './location.ts'
import { retrying } from './retrying.ts'
import { openS3 } from './s3/s3-location.ts'

export interface OpenOptions {
  readonly clock: Clock
}

/** Every kind of location there is, and the one place where decorators are stacked. */
export async function openLocation(config: LocationConfig, { clock }: OpenOptions): Promise<Location> {
  return retrying(await openPlain(config, clock), { clock })
}

function openPlain(config: LocationConfig, clock: Clock): Promise<Location> {
  switch (config.storageProvider) {
    case 's3':
      return openS3(config, { clock })
    case 'ftp':
      return openFtp(config, { clock })
    case 'filesystem':
      return openFilesystem(config)
  }
}
