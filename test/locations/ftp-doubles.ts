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

/**
 * The conformance suite against each of them. A listing longer than a page costs a transfer for each of its files, so some
 * servers have theirs in another suite than the rest.
 */
export function ftpConformance(manyKeys: (name: string) => number | undefined): void {
  for (const [name, options] of Object.entries(SERVERS)) {
    const many = manyKeys(name)
    if (many === undefined) continue
    const start = async () => {
      const ftp = await startDouble(options)
      return {
        location: openDouble(ftp, { directory: '/backups', folder: 'prod/palette' }, 30_000),
        cleanUp: () => ftp.stop(),
        hidden: async () => [...ftp.files.keys()].filter((path) => path.endsWith('.tmp')),
      }
    }
    locationConformance(name, start, { manyKeys: many })
  }
}

/** Whose long listing is read in every run. */
export const QUICK: ReadonlySet<string> = new Set([
  'ftp with MLSD',
  'ftp with LIST, PASV and no error for missing folders',
])
export const MORE_THAN_A_PAGE = 1001
