import type { Socket } from 'node:net'
import {
  BSON,
  type ClientSession,
  type Document,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoServerError,
} from 'mongodb'
// Internals of the driver, pinned by its exact version and guarded by tests.
import type { Connection, ConnectionOptions, Request } from 'mongodb/lib/cmap/connect.js'
import { makeConnection, performInitialHandshake } from 'mongodb/lib/cmap/connect.js'
import { throwIfAborted } from '../../../core/errors.ts'
import { bodyOf, withSequence } from './message.ts'
import type { MessageBuffer } from './message-buffer.ts'
import { openSocket, type WireSocket } from './socket.ts'

export interface WireCommand {
  readonly database: string
  readonly command: Document
  readonly session?: ClientSession
  /** A list of documents that belongs to the command, one behind the other. */
  readonly sequence?: { readonly field: string; readonly documents: Uint8Array }
}

interface Settle {
  readonly resolve: () => void
  readonly reject: (thrown: unknown) => void
}

/**
 * One authenticated connection on which commands are made one at a time and replies are taken as bytes. The driver
 * opens it, says hello, authenticates and writes the requests; only the replies are read here, because the driver makes new
 * memory for every piece of every reply and copies each three times.
 */
export class WireConnection {
  readonly #connection: Connection
  readonly #socket: Socket
  readonly #silenceMs: number
  readonly #directConnection: boolean
  readonly #message: MessageBuffer
  #asked: Request | undefined
  #failure: unknown
  #waiter: Settle | undefined
  #onComplete: (() => void) | undefined

  private constructor(
    connection: Connection,
    { socket, takeOver }: WireSocket,
    message: MessageBuffer,
    options: ConnectionOptions,
  ) {
    this.#message = message
    this.#connection = connection
    this.#socket = socket
    this.#silenceMs = options.socketTimeoutMS ?? 0
    this.#directConnection = options['directConnection'] === true
    socket.unpipe(connection.messageStream)
    takeOver((bytes) => this.#accept(bytes))
    socket.on('error', (cause) => this.#fail(new MongoNetworkError(cause.message, { cause })))
    socket.on('close', () => this.#fail(new MongoNetworkError(`${connection.address} closed the connection`)))
    socket.on('timeout', () => {
      if (!this.#waiter) return
      this.#fail(new MongoNetworkTimeoutError(`${connection.address} said nothing for ${this.#silenceMs} ms`))
    })
  }

  /** `message`: where replies are put together. */
  static async open(options: ConnectionOptions, message: MessageBuffer, signal: AbortSignal): Promise<WireConnection> {
    const wire = await openSocket(options, signal)
    const connection = makeConnection(options, wire.socket)
    const onAbort = (): void => connection.destroy()
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await performInitialHandshake(connection, options)
      return new WireConnection(connection, wire, message, options)
    } catch (thrown) {
      connection.destroy()
      throwIfAborted(signal, 'connecting to MongoDB')
      throw thrown
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Whether another command can be made. */
  get usable(): boolean {
    return this.#failure === undefined && this.#asked === undefined
  }

  /** Resolves once the command is on its way and its bytes may change; the reply is taken by `receive`. */
  async send({ database, command, session, sequence }: WireCommand, signal: AbortSignal): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#asked) throw new Error('a command is sent while the reply to another is outstanding')
    const request = this.#connection.prepareCommand(database, command, {
      ...(session ? { session } : {}),
      directConnection: this.#directConnection,
    })
    this.#asked = request
    await this.#write(sequence ? withSequence(request.toBin(), sequence) : request.toBin(), signal)
  }

  /**
   * The reply, decoded. An abort closes the connection.
   *
   * @throws MongoServerError where the server refuses, MongoNetworkError where it is gone or silent for too long
   */
  async receive(signal: AbortSignal): Promise<Document> {
    return this.#checked(BSON.deserialize(await this.#body(signal)))
  }

  /** The same with nested documents left as bytes, which are valid until the next reply is asked for. */
  async receiveRaw(signal: AbortSignal): Promise<Document> {
    const bytes = await this.#body(signal)
    const reply = BSON.deserialize(bytes, { raw: true })
    return Number(reply['ok']) === 1 ? reply : this.#checked(BSON.deserialize(bytes))
  }

  close(): void {
    this.#fail(new MongoNetworkError('the connection was closed'))
  }

  #checked(reply: Document): Document {
    if (Number(reply['ok']) !== 1) throw new MongoServerError(reply)
    return reply
  }

  #write(parts: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    return this.#waiting(signal, ({ resolve, reject }) => {
      this.#socket.cork()
      for (const part of parts.slice(0, -1)) this.#socket.write(part)
      this.#socket.write(parts.at(-1) ?? new Uint8Array(0), (cause) => {
        if (cause) reject(new MongoNetworkError(cause.message, { cause }))
        else resolve()
      })
      this.#socket.uncork()
    })
  }

  async #body(signal: AbortSignal): Promise<Buffer> {
    const request = this.#asked
    if (!request) throw new Error('a reply is awaited that was not asked for')
    const bytes = bodyOf(await this.#nextMessage(signal), request.requestId)
    this.#asked = undefined
    return bytes
  }

  async #nextMessage(signal: AbortSignal): Promise<Buffer> {
    this.#message.next()
    await this.#waiting(signal, ({ resolve }) => {
      if (this.#message.complete) return resolve()
      this.#onComplete = resolve
      this.#socket.resume()
    })
    return this.#message.bytes
  }

  /** Waits for what is begun, no longer than the server may be silent; whatever ends the connection rejects. */
  async #waiting(signal: AbortSignal, begin: (waiting: Settle) => void): Promise<void> {
    const onAbort = (): void => this.#fail(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      if (signal.aborted) onAbort()
      if (this.#failure !== undefined) throw this.#failure
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      this.#waiter = { resolve, reject }
      this.#socket.setTimeout(this.#silenceMs)
      begin(this.#waiter)
      await promise
    } finally {
      this.#waiter = undefined
      this.#onComplete = undefined
      this.#socket.setTimeout(0)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Between replies nothing is read: what waits in the socket is the next one, which has no room yet. */
  #accept(bytes: Buffer): boolean {
    try {
      this.#message.append(bytes)
    } catch (thrown) {
      this.#fail(thrown)
    }
    if (!this.#message.complete) return true
    this.#onComplete?.()
    return false
  }

  #fail(thrown: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = thrown
    this.#connection.destroy()
    this.#waiter?.reject(thrown)
  }
}
