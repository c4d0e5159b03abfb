import type { MongoClient, ReadPreference } from 'mongodb'
import type { ConnectionOptions } from 'mongodb/lib/cmap/connect.js'
import type { Topology } from 'mongodb/lib/sdam/topology.js'
import { KIB, MIB } from '../../../core/units.ts'
import { WireConnection } from './connection.ts'
import { MessageBuffer } from './message-buffer.ts'

/** A batch of the usual size, with some room. */
const BATCH_BYTES = 2.25 * MIB
const SHORT_BYTES = 16 * KIB

/** What a client of the driver knows and does not show. */
interface ClientInternals {
  readonly topology?: Topology
  readonly s: { readonly authProviders: unknown }
  readonly options: { readonly directConnection: boolean; readonly metadata: unknown }
  readonly readPreference: ReadPreference
}

export interface WireOptions {
  /** `batches`: room for one is made at once. */
  readonly replies: 'batches' | 'short'
}

/** Connections for whole collections, to the server that a client of the driver would choose. */
export class Wire implements Disposable {
  readonly #client: ClientInternals
  readonly #idle: WireConnection[] = []
  readonly #lent = new Set<WireConnection>()
  #opened = 0
  #closed = false
  readonly #replies: WireOptions['replies']

  constructor(client: MongoClient, { replies }: WireOptions) {
    this.#client = client as unknown as ClientInternals
    this.#replies = replies
  }

  /** A connection for one cursor at a time, to be given back. */
  async borrow(signal: AbortSignal): Promise<WireConnection> {
    if (this.#closed) throw new Error('a connection is asked for after the reading has ended')
    const connection = this.#idle.pop() ?? (await this.#open(signal))
    this.#lent.add(connection)
    if (this.#closed) this.giveBack(connection)
    return connection
  }

  /** One with a reply outstanding is closed: nobody will take it. */
  giveBack(connection: WireConnection): void {
    this.#lent.delete(connection)
    if (connection.usable && !this.#closed) this.#idle.push(connection)
    else connection.close()
  }

  [Symbol.dispose](): void {
    this.#closed = true
    for (const connection of [...this.#idle.splice(0), ...this.#lent]) connection.close()
    this.#lent.clear()
  }

  async #open(signal: AbortSignal): Promise<WireConnection> {
    const replies = new MessageBuffer(this.#replies === 'batches' ? BATCH_BYTES : SHORT_BYTES)
    return WireConnection.open(await this.#options(signal), replies, signal)
  }

  async #options(signal: AbortSignal): Promise<ConnectionOptions> {
    const { topology, s, options, readPreference } = this.#client
    if (!topology) throw new Error('a connection is asked for of a client that is not connected')
    const { pool } = await topology.selectServer(readPreference, { signal, operationName: 'find' })
    this.#opened += 1
    return {
      ...pool.options,
      ...{ id: `wire-${this.#opened}`, generation: 0, cancellationToken: pool.cancellationToken },
      ...{ authProviders: s.authProviders, metadata: options.metadata, directConnection: options.directConnection },
      // Replies are read as they come; what compresses backups compresses them better.
      compressors: ['none'],
      monitorCommands: false,
    }
  }
}
