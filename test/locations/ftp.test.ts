import type { FtpLocationConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { openFtp } from '../../agent/locations/ftp/ftp-location.ts'
import type { Location } from '../../agent/locations/location.ts'
import { locationConformance } from '../conformance/location.ts'
import type { FtpDouble, FtpOptions } from '../support/ftp/server.ts'
import { startFtp } from '../support/ftp/server.ts'
import { selfSignedCertificate } from '../support/mongodb/certificate.ts'

const certificate = selfSignedCertificate()

/** The server programs in use, by what sets them apart. */
const SERVERS: Readonly<Record<string, Partial<FtpOptions>>> = {
  'ftp with MLSD': {},
  'ftp with LIST, PASV and no error for missing folders': { mlsd: false, epsv: false, missingFolder: 'empty' },
  'ftp that does not rename over a file': { renameReplaces: false },
  'ftp with explicit TLS': { tls: certificate },
  'ftp with implicit TLS and LIST': { tls: certificate, implicit: true, mlsd: false },
}

for (const [name, options] of Object.entries(SERVERS)) {
  locationConformance(name, async () => {
    const ftp = await start(options)
    return {
      location: open(ftp, { directory: '/backups', folder: 'prod/palette' }),
      cleanUp: () => ftp.stop(),
      hidden: async () => [...ftp.files.keys()].filter((path) => path.endsWith('.tmp')),
    }
  })
}

async function start(options: Partial<FtpOptions> = {}): Promise<FtpDouble> {
  return await startFtp({ username: 'backup', password: 'ftp-secret', ...options })
}

function open(ftp: FtpDouble, changes: Partial<FtpLocationConfig> = {}): Location {
  return openFtp({ ...configOf(ftp), ...changes }, { clock: systemClock, silenceMs: 2000 })
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
