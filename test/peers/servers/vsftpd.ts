import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { selfSignedCertificate } from '../../support/mongodb/certificate.ts'
import { until } from '../../support/until.ts'
import { freePort } from './free-port.ts'
import { peerBinary } from './peer.ts'

const run = promisify(execFile)
// Any account without rights whose home folder exists: vsftpd enters it before the folder it serves.
const ACCOUNT = 'daemon'

export interface VsftpdOptions {
  readonly tls: 'explicit' | 'implicit' | 'none'
}

export interface Vsftpd extends AsyncDisposable {
  readonly port: number
  readonly username: string
  readonly password: string
  /** PEM. */
  readonly caCert: string
  /** The folder on disk that the user sees as `/`. */
  readonly root: string
  /** What the server wrote about every command. */
  readonly logFile: string
  stop(): Promise<void>
}

/** vsftpd on the loopback address with one virtual user, in folders of its own; with TLS it insists on it. Needs root. */
export async function startVsftpd({ tls }: VsftpdOptions): Promise<Vsftpd> {
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-vsftpd-'))
  const port = await freePort()
  const username = 'peer'
  const password = randomBytes(12).toString('hex')
  const root = join(folder, 'root')
  const logFile = join(folder, 'vsftpd.log')
  const { key, cert } = selfSignedCertificate()
  // The account must be able to pass through it.
  await chmod(folder, 0o711)
  await mkdir(root)
  await mkdir(join(folder, 'empty'))
  const [uid = 0, gid = 0] = await Promise.all(['-u', '-g'].map(async (flag) => await idOf(flag)))
  await chown(root, uid, gid)
  await writeFile(join(folder, 'server.pem'), `${key}${cert}`, { mode: 0o600 })
  await writeFile(join(folder, 'passwd'), `${username}:${await hashOf(password)}\n`, { mode: 0o600 })
  const service = `palette-backup-vsftpd-${port}`
  const serviceFile = join('/etc/pam.d', service)
  await writeFile(
    serviceFile,
    `auth required pam_pwdfile.so pwdfile=${join(folder, 'passwd')}\naccount required pam_permit.so\n`,
  )
  const configFile = join(folder, 'vsftpd.conf')
  await writeFile(configFile, configuration({ port, folder, root, logFile, service, tls }))
  const child = spawn(peerBinary('vsftpd'), [configFile], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  // A test process that ends early leaves nothing in /etc.
  const end = (): void => {
    child.kill('SIGKILL')
    rmSync(serviceFile, { force: true })
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', end)
  await until('vsftpd to listen', 10_000, () => listens(port), 20)
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
    process.off('exit', end)
    end()
  }
  return { port, username, password, caCert: cert, root, logFile, stop, [Symbol.asyncDispose]: stop }
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

interface Settings extends VsftpdOptions {
  readonly port: number
  readonly folder: string
  readonly root: string
  readonly logFile: string
  readonly service: string
}

/** vsftpd.conf(5). */
function configuration({ port, folder, root, logFile, service, tls }: Settings): string {
  const settings: Record<string, string | number> = {
    listen: 'YES',
    listen_ipv6: 'NO',
    listen_address: '127.0.0.1',
    listen_port: port,
    background: 'NO',
    anonymous_enable: 'NO',
    local_enable: 'YES',
    write_enable: 'YES',
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
    vsftpd_log_file: logFile,
  }
  if (tls !== 'none') {
    Object.assign(settings, {
      ssl_enable: 'YES',
      rsa_cert_file: join(folder, 'server.pem'),
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
