import type { MongoClient, ReadPreference } from 'mongodb'
import type { ConnectionOptions } from 'mongodb/lib/cmap/connect.js'
import type { Topology } from 'mongodb/lib/sdam/topology.js'
import { WireConnection } from './connection.ts'

/** What a client of the driver knows and does not show. */
interface ClientInternals {
  readonly topology?: Topology
  readonly s: { readonly authProviders: unknown }
  readonly options: { readonly directConnection: boolean; readonly metadata: unknown }
  readonly readPreference: ReadPreference
}

/** Connections for reading whole collections from the server that a client of the driver reads from. */
export class Wire implements Disposable {
  readonly #client: ClientInternals
  readonly #idle: WireConnection[] = []
  readonly #lent = new Set<WireConnection>()
  #opened = 0
  #closed = false

  constructor(client: MongoClient) {
    this.#client = client as unknown as ClientInternals
  }

  /** A connection for one cursor at a time, to be given back. */
  async borrow(signal: AbortSignal): Promise<WireConnection> {
    if (this.#closed) throw new Error('a connection is asked for after the reading has ended')
    const connection = this.#idle.pop() ?? (await WireConnection.open(await this.#options(signal), signal))
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
