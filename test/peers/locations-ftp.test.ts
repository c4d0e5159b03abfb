import { readdir } from 'node:fs/promises'
import { describe } from 'vitest'
import type { FtpLocationConfig } from '../../agent/config/config.ts'
import { systemClock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { openFtp } from '../../agent/locations/ftp/ftp-location.ts'
import { locationConformance } from '../conformance/location.ts'
import { peersMissing } from './servers/peer.ts'
import type { Vsftpd, VsftpdOptions } from './servers/vsftpd.ts'
import { startVsftpd } from './servers/vsftpd.ts'

describe.skipIf(peersMissing('vsftpd')).each(['none', 'explicit', 'implicit'] as const)('FTP, TLS %s', (tls) => {
  locationConformance(`vsftpd, TLS ${tls}`, async () => {
    const vsftpd = await startVsftpd({ tls })
    return {
      location: openFtp(configOf(vsftpd, tls), { clock: systemClock, silenceMs: 10_000 }),
      cleanUp: () => vsftpd.stop(),
      hidden: async () => (await readdir(vsftpd.root, { recursive: true })).filter((name) => name.endsWith('.tmp')),
    }
  })
})

function configOf({ port, username, password, caCert }: Vsftpd, tls: VsftpdOptions['tls']): FtpLocationConfig {
  return {
    name: 'nas',
    storageProvider: 'ftp',
    folder: 'prod/palette',
    validate: true,
    host: '127.0.0.1',
    port,
    directory: '/backups',
    username,
    password: new Secret(password),
    tls,
    ...(tls === 'none' ? {} : { caCert }),
  }
}
