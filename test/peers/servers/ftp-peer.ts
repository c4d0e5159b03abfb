import { type ChildProcess, execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { FtpLocationConfig } from '../../../agent/config/config.ts'
import { Secret } from '../../../agent/core/secret.ts'
import { selfSignedCertificate } from '../../support/mongodb/certificate.ts'
import { until } from '../../support/until.ts'
import { freePort } from './free-port.ts'

export const run = promisify(execFile)

/** An account without rights whose home folder exists, as vsftpd asks for. The served files belong to it. */
export const ACCOUNT = 'daemon'

export type FtpTls = FtpLocationConfig['tls']

export interface FtpPeerOptions {
  readonly tls: FtpTls
  /** What the user may do. Default: everything. */
  readonly rights?: 'all' | 'no-delete' | 'read'
  /** The folder is a disk of its own, of this size in MiB. */
  readonly diskMib?: number
}

/** A real FTP server on the loopback address with one virtual user, over a folder of its own. Needs root. */
export interface FtpPeer extends AsyncDisposable {
  readonly program: string
  readonly tls: FtpTls
  readonly port: number
  readonly username: string
  readonly password: string
  /** PEM. */
  readonly caCert: string
  /** The folder on disk that the user sees as `/`. */
  readonly root: string
  /** Ends the server and every session at once, as a crash would. */
  kill(): Promise<void>
  /** Starts it again, on the same port, after `kill`. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** What a server is started with. */
export interface Ground extends Pick<FtpPeer, 'port' | 'username' | 'password' | 'caCert' | 'root'> {
  readonly folder: string
  /** PEM, the key first. */
  readonly certificateFile: string
  /** Of the account, as in crypt(3). */
  readonly passwordHash: string
  readonly uid: number
  readonly gid: number
}

interface Launch {
  readonly program: string
  readonly tls: FtpTls
  /** Starts the server as the leader of a process group of its own. */
  readonly launch: () => ChildProcess
  /** What lies outside the folder. Must not wait. */
  readonly cleanUp?: () => void
}

export async function prepareFtpPeer(program: string, { diskMib }: Pick<FtpPeerOptions, 'diskMib'>): Promise<Ground> {
  const folder = await mkdtemp(join(tmpdir(), `palette-backup-${program}-`))
  const root = join(folder, 'root')
  const certificateFile = join(folder, 'server.pem')
  const password = randomBytes(12).toString('hex')
  const { key, cert } = selfSignedCertificate()
  const [uid = 0, gid = 0] = await Promise.all(['-u', '-g'].map(async (flag) => await idOf(flag)))
  // The account must be able to pass through it.
  await chmod(folder, 0o711)
  await mkdir(root)
  if (diskMib !== undefined) await run('mount', ['-t', 'tmpfs', '-o', `size=${diskMib}m`, 'tmpfs', root])
  await chown(root, uid, gid)
  await writeFile(certificateFile, `${key}${cert}`, { mode: 0o600 })
  const passwordHash = await hashOf(password)
  return {
    ...{ folder, root, port: await freePort(), username: 'peer', password, passwordHash },
    ...{ caCert: cert, certificateFile, uid, gid },
  }
}

export async function runFtpPeer(ground: Ground, { program, tls, launch, cleanUp }: Launch): Promise<FtpPeer> {
  const { folder, root, port, username, password, caCert } = ground
  let child: ChildProcess | undefined
  const restart = async (): Promise<void> => {
    child = launch()
    await until(`${program} to listen`, 10_000, () => listens(port), 20)
  }
  const kill = async (): Promise<void> => {
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    process.kill(-child.pid, 'SIGKILL')
    await ended
  }
  // A test process that ends early leaves nothing behind.
  const end = (): void => {
    void kill()
    cleanUp?.()
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', end)
  const stop = async (): Promise<void> => {
    await kill()
    await run('umount', ['--lazy', root]).catch(() => undefined)
    process.off('exit', end)
    end()
  }
  try {
    await restart()
  } catch (thrown) {
    await stop()
    throw thrown
  }
  return {
    ...{ program, tls, port, username, password, caCert, root },
    ...{ kill, restart, stop, [Symbol.asyncDispose]: stop },
  }
}

export function ftpPeerConfig(peer: FtpPeer, changes: Partial<FtpLocationConfig> = {}): FtpLocationConfig {
  return {
    name: 'nas',
    storageProvider: 'ftp',
    folder: 'prod/palette',
    validate: true,
    host: '127.0.0.1',
    port: peer.port,
    directory: '/backups',
    username: peer.username,
    password: new Secret(peer.password),
    tls: peer.tls,
    ...(peer.tls === 'none' ? {} : { caCert: peer.caCert }),
    ...changes,
  }
}

async function idOf(flag: string): Promise<number> {
  const { stdout } = await run('id', [flag, ACCOUNT])
  return Number(stdout)
}

async function hashOf(password: string): Promise<string> {
  const hashing = run('openssl', ['passwd', '-6', '-stdin'])
  hashing.child.stdin?.end(`${password}\n`)
  return (await hashing).stdout.trim()
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.destroy()
  return true
}
