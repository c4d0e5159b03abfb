import type { FtpPeer, FtpPeerOptions, FtpTls } from './ftp-peer.ts'
import { startProftpd } from './proftpd.ts'
import { startPureFtpd } from './pure-ftpd.ts'
import { startPyftpdlib } from './pyftpdlib.ts'
import { startVsftpd } from './vsftpd.ts'

export type FtpProgram = 'vsftpd' | 'proftpd' | 'pure-ftpd' | 'pyftpdlib'

/** The programs as `test/peers/install.sh` names them. */
export const FTP_PROGRAMS = ['vsftpd', 'proftpd', 'pure-ftpd', 'pyftpdlib'] as const

export const FTP_MODES: readonly FtpTls[] = ['none', 'explicit', 'implicit']

/** What a server cannot do, and why; a test shows each. */
export const FTP_LACKS: Readonly<Record<FtpProgram, Partial<Record<FtpTls, string>>>> = {
  vsftpd: {},
  proftpd: {},
  'pure-ftpd': { implicit: 'it knows TLS only after AUTH TLS' },
  pyftpdlib: {},
}

export async function startFtpPeer(program: FtpProgram, options: FtpPeerOptions): Promise<FtpPeer> {
  switch (program) {
    case 'vsftpd':
      return await startVsftpd(options)
    case 'proftpd':
      return await startProftpd(options)
    case 'pyftpdlib':
      return await startPyftpdlib(options)
    case 'pure-ftpd': {
      const { tls } = options
      if (tls === 'implicit') throw new Error(`pure-ftpd: ${FTP_LACKS['pure-ftpd'].implicit}`)
      return await startPureFtpd({ ...options, tls })
    }
  }
}
