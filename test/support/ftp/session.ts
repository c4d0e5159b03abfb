import type { Socket } from 'node:net'
import { posix } from 'node:path'
import { createInterface } from 'node:readline'
import { TLSSocket } from 'node:tls'
import type { Reply } from './commands.ts'
import { COMMANDS, WITHOUT_LOGIN } from './commands.ts'
import { DataPort } from './data-port.ts'
import type { Effect } from './faults.ts'
import type { FtpDouble } from './server.ts'

/** One control connection: reads command lines and answers them one after the other. */
export class Session {
  readonly double: FtpDouble
  cwd = '/'
  username = ''
  loggedIn = false
  /** Data connections are to use TLS. */
  protectedData = false
  restartAt = 0
  transferring = false
  renameFrom: string | undefined
  readonly #raw: Socket
  readonly #onEnd: () => void
  #stream: Socket | TLSSocket
  #data: DataPort | undefined
  #queue = Promise.resolve()
  #ended = false

  constructor(double: FtpDouble, socket: Socket, onEnd: () => void) {
    this.double = double
    this.#raw = socket
    this.#stream = socket
    this.#onEnd = onEnd
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => this.end())
    if (double.options.implicit) this.#secure()
    else this.#listen(socket)
    if (!double.options.silent) this.reply(220, 'The double is ready.')
  }

  get secured(): boolean {
    return this.#stream instanceof TLSSocket
  }

  reply(code: number, text: string): void {
    if (!this.#stream.destroyed) this.#stream.write(`${code} ${text}\r\n`)
  }

  replyLines(code: number, lines: readonly string[]): void {
    this.#stream.write([`${code}-Here:`, ...lines.map((line) => ` ${line}`), `${code} End`, ''].join('\r\n'))
  }

  resolve(path: string): string {
    return posix.resolve(this.cwd, path)
  }

  /** Everything behind the answer is TLS (RFC 4217). */
  startTls(): void {
    this.reply(234, 'Proceed with negotiation.')
    this.#raw.removeAllListeners('data')
    this.#secure()
  }

  async openDataPort(): Promise<number> {
    this.#data?.close()
    this.#data = await DataPort.open(this.protectedData ? this.double.secureContext : undefined)
    return this.#data.port
  }

  takeDataPort(): DataPort | undefined {
    return this.#data
  }

  closeDataPort(): void {
    this.#data?.close()
    this.#data = undefined
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#data?.close()
    this.#stream.destroy()
    this.#raw.destroy()
    this.#onEnd()
  }

  #secure(): void {
    const { secureContext } = this.double
    if (!secureContext) throw new Error('TLS needs a certificate')
    const stream = new TLSSocket(this.#raw, { isServer: true, secureContext })
    stream.on('error', () => this.end())
    this.#stream = stream
    this.#listen(stream)
  }

  #listen(stream: Socket | TLSSocket): void {
    const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
    // Errors of its stream are its own too: a client that gives up in the handshake says QUIT in clear.
    lines.on('error', () => this.end())
    lines.on('line', (line) => {
      // What was sent in clear ends where TLS begins.
      if (stream !== this.#stream) return
      if (line === 'NOOP' && this.transferring && this.#answeredAtOnce()) return
      this.#queue = this.#queue.then(() => this.#answer(line)).catch(() => this.end())
    })
  }

  /** NOOP during a transfer; waits in the queue like any command on servers that read none meanwhile. */
  #answeredAtOnce(): boolean {
    const { noopDuringTransfer = 'behind the final reply' } = this.double.options
    if (noopDuringTransfer === 'behind the final reply') return false
    this.double.commands.push('NOOP')
    if (noopDuringTransfer === 'at once') this.reply(200, 'Ok.')
    if (noopDuringTransfer === 'as unknown') this.reply(500, 'Unknown command.')
    return true
  }

  async #answer(line: string): Promise<void> {
    if (this.#ended) return
    const [word = ''] = line.split(' ', 1)
    const name = word.toUpperCase()
    const argument = line.slice(word.length + 1)
    this.double.commands.push(name === 'PASS' ? 'PASS ***' : line)
    const effect = this.double.faults.next(name)
    if (effect?.kind === 'stall') return await new Promise(() => undefined)
    if (effect?.kind === 'reset') return void this.#raw.resetAndDestroy()
    if (effect?.kind === 'answer') return this.reply(effect.code, effect.text)
    const reply = await this.#perform(name, argument, effect)
    if (effect?.kind === 'stall-after') return await new Promise(() => undefined)
    if (effect?.kind === 'reset-after') return void this.#raw.resetAndDestroy()
    if (effect?.kind === 'answer-after') return this.reply(effect.code, effect.text)
    if (reply) this.reply(...reply)
    if (name === 'QUIT') this.end()
  }

  async #perform(name: string, argument: string, effect: Effect | undefined): Promise<Reply | undefined> {
    const command = COMMANDS[name]
    if (!command) return [502, 'Command not implemented.']
    if (!this.loggedIn && !WITHOUT_LOGIN.has(name)) return [530, 'Please login with USER and PASS.']
    return await command(this, argument, effect)
  }
}
