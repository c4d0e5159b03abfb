import { spawn } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { endsWithThis } from '../../support/processes.ts'
import type { FtpPeer, FtpPeerOptions, Ground } from './ftp-peer.ts'
import { ACCOUNT, prepareFtpPeer, run, runFtpPeer } from './ftp-peer.ts'
import { peerBinary } from './peer.ts'

export interface ProftpdOptions extends FtpPeerOptions {
  /** TLS sessions are forgotten after so long; a data connection must resume one. Default: half an hour. */
  readonly sessionSeconds?: number
  /** What the user may upload in all. Default: no limit. */
  readonly quotaMib?: number
}

/** proftpd; with TLS it insists on it, and on data connections that resume the session. */
export async function startProftpd(options: ProftpdOptions): Promise<FtpPeer> {
  const ground = await prepareFtpPeer('proftpd', options)
  const { folder, username, passwordHash, uid, gid, root } = ground
  const program = realpathSync(peerBinary('proftpd'))
  const accounts = join(folder, 'passwd')
  await writeFile(accounts, `${username}:${passwordHash}:${uid}:${gid}::${root}:/bin/false\n`, { mode: 0o600 })
  if (options.quotaMib !== undefined)
    await makeQuota(folder, username, options.quotaMib, join(dirname(program), 'ftpquota'))
  const configFile = join(folder, 'proftpd.conf')
  const modules = join(dirname(dirname(program)), 'lib', 'proftpd')
  await writeFile(configFile, configuration(ground, modules, options))
  return await runFtpPeer(ground, {
    program: 'proftpd',
    tls: options.tls,
    launch: () =>
      spawn(...endsWithThis(program, ['--nodaemon', '--config', configFile]), { stdio: 'ignore', detached: true }),
  })
}

/** A hard limit on uploaded bytes, in the file tables of mod_quotatab. */
async function makeQuota(folder: string, username: string, mib: number, tool: string): Promise<void> {
  const table = (type: string): string[] => [`--type=${type}`, `--table-path=${join(folder, `quota.${type}`)}`]
  for (const type of ['limit', 'tally']) await run('perl', [tool, '--create-table', ...table(type)])
  const limit = ['--quota-type=user', '--limit-type=hard', `--bytes-upload=${mib}`, '--units=Mb']
  await run('perl', [tool, '--add-record', ...table('limit'), `--name=${username}`, ...limit])
}

/** Directives as in proftpd's own reference. */
function configuration({ port, folder, certificateFile }: Ground, modules: string, options: ProftpdOptions): string {
  const { tls, rights = 'all', sessionSeconds, quotaMib } = options
  const lines = [
    'ServerName peer',
    'ServerType standalone',
    `Port ${port}`,
    'UseIPv6 off',
    'DefaultAddress 127.0.0.1',
    'SocketBindTight on',
    `ModulePath ${modules}`,
    `User ${ACCOUNT}`,
    `Group ${ACCOUNT}`,
    'Umask 022',
    'UseReverseDNS off',
    'WtmpLog off',
    'AuthPAM off',
    'AuthOrder mod_auth_file.c',
    `AuthUserFile ${join(folder, 'passwd')}`,
    'RequireValidShell off',
    'DefaultRoot ~',
    'AllowOverwrite on',
    'AllowStoreRestart on',
    'AllowRetrieveRestart on',
    'DelayEngine off',
    'MaxInstances 60',
    `PidFile ${join(folder, 'pid')}`,
    `ScoreboardFile ${join(folder, 'scoreboard')}`,
    `SystemLog ${join(folder, 'proftpd.log')}`,
    'TransferLog none',
  ]
  if (rights === 'no-delete') lines.push('<Limit DELE RMD>', '  DenyAll', '</Limit>')
  if (rights === 'read') lines.push('<Limit WRITE>', '  DenyAll', '</Limit>')
  if (quotaMib !== undefined) {
    lines.push('LoadModule mod_quotatab.c', 'LoadModule mod_quotatab_file.c', 'QuotaEngine on')
    lines.push(
      `QuotaLimitTable file:${join(folder, 'quota.limit')}`,
      `QuotaTallyTable file:${join(folder, 'quota.tally')}`,
    )
  }
  if (tls !== 'none') {
    lines.push('LoadModule mod_tls.c', 'TLSEngine on', 'TLSRequired on', 'TLSProtocol TLSv1.2 TLSv1.3')
    lines.push(`TLSECCertificateFile ${certificateFile}`, `TLSECCertificateKeyFile ${certificateFile}`)
    lines.push('TLSVerifyClient off', 'TLSRenegotiate none', `TLSLog ${join(folder, 'tls.log')}`)
    if (tls === 'implicit') lines.push('TLSOptions UseImplicitSSL')
    if (sessionSeconds !== undefined) lines.push(`TLSSessionCache internal: ${sessionSeconds}`)
  }
  return `${lines.join('\n')}\n`
}
