import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MIB } from '../../../agent/core/units.ts'
import { endsWithThis } from '../../support/processes.ts'
import type { FtpPeer, FtpPeerOptions } from './ftp-peer.ts'
import { prepareFtpPeer, run, runFtpPeer } from './ftp-peer.ts'
import { peerBinary } from './peer.ts'

export interface PureFtpdOptions extends Omit<FtpPeerOptions, 'rights'> {
  /** Debian's build knows no implicit TLS. */
  readonly tls: 'explicit' | 'none'
  /** What the user may keep in all. Default: no limit. */
  readonly quotaMib?: number
  /** Names in a listing at most. Its own default is 10,000. */
  readonly listed?: number
}

/** pure-ftpd; with TLS it insists on it. */
export async function startPureFtpd(options: PureFtpdOptions): Promise<FtpPeer> {
  const ground = await prepareFtpPeer('pure-ftpd', options)
  const { folder, root, port, username, passwordHash, uid, gid, certificateFile } = ground
  const database = join(folder, 'accounts.pdb')
  // As pure-pw writes them, but for its hash, which would make every login take seconds.
  const quota = options.quotaMib === undefined ? '' : options.quotaMib * MIB
  const account = `${username}:${passwordHash}:${uid}:${gid}::${root}/./:::::::${quota}:::::\n`
  await writeFile(join(folder, 'accounts'), account, { mode: 0o600 })
  await run(peerBinary('pure-pw'), ['mkdb', database, '-f', join(folder, 'accounts')])
  const args = [
    ...['-S', `127.0.0.1,${port}`, '-4', '-H', '-A', '-E', '-j', '-z', '-u', '1', '-c', '60', '-C', '60'],
    ...['-L', `${options.listed ?? 50_000}:5`],
    ...['-g', join(folder, 'pid'), '-l', `puredb:${database}`],
    ...(options.tls === 'explicit' ? ['-Y', '3', '-2', certificateFile] : []),
  ]
  return await runFtpPeer(ground, {
    program: 'pure-ftpd',
    tls: options.tls,
    launch: () => spawn(...endsWithThis(peerBinary('pure-ftpd'), args), { stdio: 'ignore', detached: true }),
  })
}
