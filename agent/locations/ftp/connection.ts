import { isIP } from 'node:net'
import { Client, FTPError, type FTPResponse } from 'basic-ftp'
import type { FtpLocationConfig } from '../../config/config.ts'
import type { Clock } from '../../core/clock.ts'
import { withTimeout } from '../../core/clock.ts'
import { Failure } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import { ftpFailure, isLastWord } from './classify.ts'
import type { DataOptions } from './data-channel.ts'
import { openDataChannel } from './data-channel.ts'
import { type Dialect, describeTls } from './dialect.ts'
import { receive, send } from './transfer.ts'
import { untilAborted } from './until-aborted.ts'

/** Servers that look up the name of whoever calls take up to 10 s before they say a word; another service says none. */
const GREETING_MS = 20 * SECOND_MS

export interface FtpSettings {
  readonly config: FtpLocationConfig
  readonly clock: Clock
  readonly silenceMs: number
  /** How often the control connection is used while it waits for a transfer. */
  readonly keepAliveMs: number
  readonly dialect: Dialect
}

/** A control connection that is logged in. Rejections are raw; after one other than a checked reply it is unusable. */
export class FtpConnection {
  readonly #client: Client
  readonly #settings: FtpSettings
  /** Absolute path of the location's folder, without a slash at its end: empty for the server's root. */
  #root = ''
  /** The first words of the other side, and whether they are those of an FTP server. */
  #heard = ''
  #greeted = false

  private constructor(client: Client, settings: FtpSettings) {
    this.#client = client
    this.#settings = settings
  }

  static async open(settings: FtpSettings, signal: AbortSignal): Promise<FtpConnection> {
    const { clock, silenceMs } = settings
    const client = new Client(silenceMs)
    const connection = new FtpConnection(client, settings)
    const within = (ms: number, task: () => Promise<void>): Promise<void> =>
      withTimeout(
        clock,
        ms,
        signal,
        () => new Error('Timeout'),
        (limited) => untilAborted(task(), limited),
      )
    try {
      await within(Math.min(silenceMs, GREETING_MS), () => connection.#reach())
      await within(silenceMs, () => connection.#login())
      return connection
    } catch (thrown) {
      client.close()
      throw signal.aborted || connection.#greeted ? thrown : ungreeted(thrown, connection.#heard, settings.config.tls)
    }
  }

  get usable(): boolean {
    return !this.#client.closed
  }

  /** Empty: the server's root. */
  get root(): string {
    return this.#root
  }

  /** The path of a key, or of the location's folder for the empty one. */
  path(key: string): string {
    return key === '' ? this.#root || '/' : `${this.#root}/${key}`
  }

  /** The reply, also when it is a refusal. Rejects where it says nothing about the command: 421, 530, no connection. */
  async ask(command: string): Promise<FTPResponse> {
    const reply = await this.#client.sendIgnoringError(command)
    if (reply.code === 421 || reply.code === 530 || isLastWord(reply)) throw new FTPError(reply)
    return reply
  }

  /** Rejects for every refusal. */
  async demand(command: string): Promise<FTPResponse> {
    const reply = await this.ask(command)
    if (reply.code >= 400) throw new FTPError(reply)
    return reply
  }

  /** Writes the body behind the first `offset` bytes of the file, which stay. */
  async store(path: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal, offset = 0): Promise<void> {
    const options = this.#transferOptions(signal)
    const data = await this.#openData(options)
    try {
      if (offset > 0) await this.demand(`REST ${offset}`)
      await send(this.#client, data, `STOR ${path}`, body, options)
    } finally {
      data.destroy()
    }
  }

  async *retrieve(command: string, signal: AbortSignal, offset = 0): AsyncGenerator<Uint8Array> {
    const options = this.#transferOptions(signal)
    const data = await this.#openData(options)
    try {
      if (offset > 0) await this.demand(`REST ${offset}`)
      yield* receive(this.#client, data, command, options)
    } finally {
      data.destroy()
    }
  }

  get dialect(): Dialect {
    return this.#settings.dialect
  }

  /** Whether the server has listings that are made for programs (RFC 3659). */
  async hasMlsd(): Promise<boolean> {
    const { dialect } = this
    dialect.mlsd ??= (await this.#client.features()).has('MLST')
    return dialect.mlsd
  }

  close(): void {
    this.#client.close()
  }

  /** Until the server has said who it is. */
  async #reach(): Promise<void> {
    const { host, port, tls } = this.#settings.config
    if (tls === 'implicit') await this.#client.connectImplicitTLS(host, port, this.#secureOptions())
    else await this.#connect(host, port)
    this.#greeted = true
  }

  #secureOptions() {
    const { host, caCert } = this.#settings.config
    return {
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(caCert === undefined ? {} : { ca: caCert }),
    }
  }

  async #login(): Promise<void> {
    const { config, keepAliveMs } = this.#settings
    const { username, password, tls } = config
    const client = this.#client
    const secureOptions = this.#secureOptions()
    if (tls === 'explicit') await client.useTLS(secureOptions).catch((thrown: unknown) => Promise.reject(noTls(thrown)))
    // For names and passwords that are not ASCII.
    await client.sendIgnoringError('OPTS UTF8 ON')
    await client.login(username, password.reveal())
    await client.useDefaultSettings()
    this.#client.ftp.socket.setKeepAlive(true, keepAliveMs)
    this.dialect.tls ??= describeTls(client.ftp.socket)
    await this.#enterFolder()
  }

  /** Whoever says something else first, as SSH does, never says what is waited for. */
  async #connect(host: string, port: number): Promise<void> {
    const connected = this.#client.connect(host, port)
    this.#client.ftp.socket.once('data', (text) => {
      this.#heard = String(text)
      if (!/^\d/.test(this.#heard)) this.#client.close()
    })
    await connected
  }

  async #enterFolder(): Promise<void> {
    const { directory, folder } = this.#settings.config
    const whole = (directory === '' ? folder : `${directory}/${folder}`).replace(/\/+/g, '/')
    const path = whole === '/' ? whole : whole.replace(/\/$/, '')
    if (path !== '' && (await this.ask(`CWD ${path}`)).code >= 400) {
      await this.makeFolders(path).catch((thrown: unknown) => Promise.reject(noFolder(thrown, path)))
      await this.demand(`CWD ${path}`)
    }
    const reply = await this.demand('PWD')
    const shown = /"((?:[^"]|"")*)"/.exec(reply.message)?.[1]?.replaceAll('""', '"')
    if (!shown?.startsWith('/')) {
      throw new Failure(`the server does not say which directory it is in (${reply.message})`, { code: 'unsupported' })
    }
    this.#root = shown.replace(/\/+$/, '')
  }

  /** Makes the folder and those above it; that they are there already is no error. */
  async makeFolders(path: string): Promise<void> {
    const parts = path.split('/')
    let refusal: FTPResponse | undefined
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const part = parts.slice(0, depth).join('/')
      if (part === '') continue
      const reply = await this.ask(`MKD ${part}`)
      refusal = reply.code >= 400 ? reply : undefined
    }
    // Why it could not be made says more than that it is not there.
    if (refusal && (await this.ask(`CWD ${path}`)).code >= 400) throw new FTPError(refusal)
  }

  async #openData(options: Omit<DataOptions, 'pasvOnly'>) {
    const { dialect } = this
    const { socket, pasvOnly } = await openDataChannel(this.#client, { ...options, pasvOnly: dialect.pasvOnly })
    dialect.pasvOnly = pasvOnly
    return socket
  }

  #transferOptions(signal: AbortSignal) {
    const { clock, silenceMs, keepAliveMs } = this.#settings
    return { clock, silenceMs, keepAliveMs, signal }
  }
}

/** vsftpd without TLS answers AUTH with 530, as if the password were wrong. */
function noTls(thrown: unknown): unknown {
  if (!(thrown instanceof FTPError) || thrown.code === 421) return thrown
  return new Failure(`the server does not offer TLS: it answered ${thrown.message}`, {
    code: 'unsupported',
    hint: 'Switch TLS on at the server. With tls: none the password and every backup travel in clear.',
    cause: thrown,
  })
}

/** The likely mistake, where no FTP server was heard. */
function ungreeted(thrown: unknown, heard: string, tls: FtpLocationConfig['tls']): unknown {
  const words = heard.split(/[\r\n]/)[0]?.slice(0, 60) ?? ''
  if (words !== '' && !/^\d/.test(words)) {
    return new Failure(`what answers there is no FTP server: it says ${JSON.stringify(words)}`, {
      code: 'config',
      hint: 'Check server: this is the port of another service, such as SSH or SFTP.',
      cause: thrown,
    })
  }
  if (tls === 'implicit' || !(thrown instanceof Error) || !thrown.message.includes('Timeout')) return thrown
  return new Failure('no answer in time, not even the greeting of an FTP server', {
    code: 'unreachable',
    retryable: true,
    hint: 'Check server and tls: ports of HTTP and S3 stay silent, and so does that of implicit TLS, mostly 990.',
    cause: thrown,
  })
}

function noFolder(thrown: unknown, path: string): unknown {
  if (!(thrown instanceof FTPError) || thrown.code === 421) return thrown
  const { message, code, retryable } = ftpFailure(thrown, `the directory ${path} cannot be entered or made`, '')
  const hint = 'Check directory and folder of the location, or let the FTP user make directories there.'
  return new Failure(message, { code, retryable, hint, cause: thrown })
}
