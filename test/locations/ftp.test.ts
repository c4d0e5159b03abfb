import { locationConformance } from '../conformance/location.ts'
import { openDouble, startDouble } from '../support/ftp/location.ts'
import type { FtpOptions } from '../support/ftp/server.ts'
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
  const start = async () => {
    const ftp = await startDouble(options)
    return {
      location: openDouble(ftp, { directory: '/backups', folder: 'prod/palette' }, 30_000),
      cleanUp: () => ftp.stop(),
      hidden: async () => [...ftp.files.keys()].filter((path) => path.endsWith('.tmp')),
    }
  }
  // A long listing differs only in how it is asked for, and each of its files costs a transfer.
  const isLong = name === 'ftp with MLSD' || options.epsv === false
  locationConformance(name, start, isLong ? {} : { manyKeys: 60 })
}
