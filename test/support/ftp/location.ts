import type { FtpLocationConfig } from '../../../agent/config/config.ts'
import { systemClock } from '../../../agent/core/clock.ts'
import { Secret } from '../../../agent/core/secret.ts'
import type { FtpLocationOptions } from '../../../agent/locations/ftp/ftp-location.ts'
import { openFtp } from '../../../agent/locations/ftp/ftp-location.ts'
import type { Location } from '../../../agent/locations/location.ts'
import type { FtpDouble, FtpOptions } from './server.ts'
import { startFtp } from './server.ts'

export async function startDouble(options: Partial<FtpOptions> = {}): Promise<FtpDouble> {
  return await startFtp({ username: 'backup', password: 'ftp-secret', ...options })
}

/** The location on the double, in its root directory unless changed. */
export function openDouble(
  ftp: FtpDouble,
  changes: Partial<FtpLocationConfig> = {},
  silenceMs = 2000,
  options: Partial<FtpLocationOptions> = {},
): Location {
  return openFtp({ ...configOf(ftp), ...changes }, { clock: systemClock, silenceMs, ...options })
}

function configOf({ port, options }: FtpDouble): FtpLocationConfig {
  return {
    name: 'nas',
    storageProvider: 'ftp',
    folder: '',
    validate: true,
    host: '127.0.0.1',
    port,
    directory: '/',
    username: options.username,
    password: new Secret(options.password),
    tls: options.tls ? (options.implicit ? 'implicit' : 'explicit') : 'none',
    ...(options.tls ? { caCert: options.tls.cert } : {}),
  }
}
