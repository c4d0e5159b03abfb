import { spawn } from 'node:child_process'
import { endsWithThis } from '../../support/processes.ts'
import type { FtpPeer, FtpPeerOptions } from './ftp-peer.ts'
import { prepareFtpPeer, runFtpPeer } from './ftp-peer.ts'
import { peerBinary } from './peer.ts'

const PERMISSIONS = { all: 'elradfmwMT', 'no-delete': 'elrafmwMT', read: 'elr' }

/** pyftpdlib, one process for all sessions; with TLS it insists on it. */
export async function startPyftpdlib(options: FtpPeerOptions): Promise<FtpPeer> {
  const ground = await prepareFtpPeer('pyftpdlib', options)
  const { port, root, username, password, certificateFile: certificate } = ground
  const permissions = PERMISSIONS[options.rights ?? 'all']
  const settings = JSON.stringify({ port, tls: options.tls, certificate, root, username, password, permissions })
  return await runFtpPeer(ground, {
    program: 'pyftpdlib',
    tls: options.tls,
    launch: () => spawn(...endsWithThis(peerBinary('pyftpdlib'), [settings]), { stdio: 'ignore', detached: true }),
  })
}
