import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import type { SecureContext } from 'node:tls'
import { createSecureContext } from 'node:tls'
import type { Certificate } from '../mongodb/certificate.ts'
import type { Fault } from './faults.ts'
import { Faults } from './faults.ts'
import { Session } from './session.ts'
import { FtpFile, Tree } from './tree.ts'

export interface FtpOptions {
  readonly username: string
  readonly password: string
  /** Speak TLS with it, and refuse logins and transfers without. */
  readonly tls?: Certificate
  /** TLS from the first byte, instead of after AUTH TLS. */
  readonly implicit?: boolean
  /** Data connections must resume the TLS session, as vsftpd and proftpd ask for. Default: true. */
  readonly requireSessionReuse?: boolean
  /** Never send the first line. */
  readonly silent?: boolean
  /** Offer MLSD (RFC 3659). Default: true. */
  readonly mlsd?: boolean
  /** Offer EPSV (RFC 2428). Default: true. */
  readonly epsv?: boolean
  /** What PASV gives as its address, as servers behind NAT give one that leads nowhere. Default: 127.0.0.1. */
  readonly passiveAddress?: string
  /** What a LIST of a missing folder gives: vsftpd has no error for it. Default: 'error'. */
  readonly missingFolder?: 'error' | 'empty'
  /** RNTO replaces an existing file. Default: true. */
  readonly renameReplaces?: boolean
  /** When a NOOP during a transfer is answered, and how. Default: behind the final reply. */
  readonly noopDuringTransfer?: 'at once' | 'as unknown' | 'behind the final reply' | 'never'
  /** All that fits on the disk. Default: no limit. */
  readonly capacityBytes?: number
}

/** FTP in memory, on a loopback port: passive mode, TLS, faults on demand. RFC 959, 2228, 2428, 3659, 4217. */
export class FtpDouble implements AsyncDisposable {
  readonly port: number
  readonly url: string
  readonly options: FtpOptions
  readonly tree = new Tree()
  readonly faults = new Faults()
  readonly secureContext: SecureContext | undefined
  /** Every command line that was received, in order, passwords left out. */
  readonly commands: string[] = []
  readonly #server: Server
  readonly #sessions = new Set<Session>()

  constructor(server: Server, port: number, options: FtpOptions) {
    this.#server = server
    this.port = port
    this.url = `ftp://127.0.0.1:${port}`
    this.options = options
    this.secureContext = options.tls && createSecureContext(options.tls)
    server.on('connection', (socket: Socket) => {
      const session = new Session(this, socket, () => this.#sessions.delete(session))
      this.#sessions.add(session)
    })
  }

  /** Complete and partial files under their absolute paths. */
  get files(): ReadonlyMap<string, FtpFile> {
    return this.tree.files
  }

  /** Control connections that clients hold open. */
  get connections(): number {
    return this.#sessions.size
  }

  fail(fault: Fault): void {
    this.faults.add(fault)
  }

  /** Puts a file there, and the folders above it. */
  seed(path: string, bytes: Buffer): void {
    const parts = path.split('/').slice(1, -1)
    for (let depth = 1; depth <= parts.length; depth += 1) this.tree.folders.add(`/${parts.slice(0, depth).join('/')}`)
    const file = new FtpFile()
    file.append(bytes)
    this.tree.files.set(path, file)
  }

  /** How often a command, in capitals, was received. */
  count(command: string): number {
    return this.commands.filter((line) => line.split(' ', 1)[0]?.toUpperCase() === command).length
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    this.#server.close()
    for (const session of this.#sessions) session.end()
    await once(this.#server, 'close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

export async function startFtp(options: FtpOptions): Promise<FtpDouble> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return new FtpDouble(server, address.port, options)
}
