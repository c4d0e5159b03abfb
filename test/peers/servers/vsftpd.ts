import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { endsWithThis } from '../../support/processes.ts'
import type { FtpPeer, FtpPeerOptions, Ground } from './ftp-peer.ts'
import { ACCOUNT, prepareFtpPeer, runFtpPeer } from './ftp-peer.ts'
import { peerBinary } from './peer.ts'

/** vsftpd; with TLS it insists on it, and on data connections that resume the session. */
export async function startVsftpd(options: FtpPeerOptions): Promise<FtpPeer> {
  const ground = await prepareFtpPeer('vsftpd', options)
  const { folder, port, username, passwordHash } = ground
  await mkdir(join(folder, 'empty'))
  await writeFile(join(folder, 'passwd'), `${username}:${passwordHash}\n`, { mode: 0o600 })
  const service = `palette-backup-vsftpd-${port}`
  const serviceFile = join('/etc/pam.d', service)
  await writeFile(
    serviceFile,
    `auth required pam_pwdfile.so pwdfile=${join(folder, 'passwd')}\naccount required pam_permit.so\n`,
  )
  const configFile = join(folder, 'vsftpd.conf')
  await writeFile(configFile, configuration(ground, service, options))
  return await runFtpPeer(ground, {
    program: 'vsftpd',
    tls: options.tls,
    launch: () => spawn(...endsWithThis(peerBinary('vsftpd'), [configFile]), { stdio: 'ignore', detached: true }),
    cleanUp: () => rmSync(serviceFile, { force: true }),
  })
}

/** vsftpd.conf(5). */
function configuration(
  { port, folder, root, certificateFile }: Ground,
  service: string,
  { tls, rights = 'all' }: FtpPeerOptions,
): string {
  const settings: Record<string, string | number> = {
    listen: 'YES',
    listen_ipv6: 'NO',
    listen_address: '127.0.0.1',
    listen_port: port,
    background: 'NO',
    anonymous_enable: 'NO',
    local_enable: 'YES',
    write_enable: rights === 'read' ? 'NO' : 'YES',
    guest_enable: 'YES',
    guest_username: ACCOUNT,
    ftp_username: ACCOUNT,
    virtual_use_local_privs: 'YES',
    local_root: root,
    chroot_local_user: 'YES',
    allow_writeable_chroot: 'YES',
    local_umask: '022',
    pam_service_name: service,
    secure_chroot_dir: join(folder, 'empty'),
    nopriv_user: 'nobody',
    pasv_address: '127.0.0.1',
    seccomp_sandbox: 'NO',
    xferlog_enable: 'YES',
    log_ftp_protocol: 'YES',
    vsftpd_log_file: join(folder, 'vsftpd.log'),
  }
  if (rights === 'no-delete') settings['cmds_denied'] = 'DELE,RMD'
  if (tls !== 'none') {
    Object.assign(settings, {
      ssl_enable: 'YES',
      rsa_cert_file: certificateFile,
      force_local_logins_ssl: 'YES',
      force_local_data_ssl: 'YES',
      require_ssl_reuse: 'YES',
      ssl_ciphers: 'HIGH',
      implicit_ssl: tls === 'implicit' ? 'YES' : 'NO',
    })
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
