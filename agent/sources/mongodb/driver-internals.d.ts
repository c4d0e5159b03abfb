/** The parts of the driver's inside that are used; the driver publishes no types for them. Its version is pinned, and tests cover each. */
declare module 'mongodb/lib/cmap/connect.js' {
  import type { Socket } from 'node:net'
  import type { ClientSession, Document } from 'mongodb'

  /** What a pool of the driver opens its connections with. */
  export interface ConnectionOptions {
    readonly hostAddress: { readonly host?: string; readonly port?: number; readonly socketPath?: string }
    readonly tls?: boolean
    readonly connectTimeoutMS?: number
    readonly socketTimeoutMS?: number
    readonly keepAliveInitialDelay?: number
    readonly [option: string]: unknown
  }
  export interface Request {
    readonly requestId: number
    /** Header with the length of the message, flags, and the section of the command. */
    toBin(): Uint8Array[]
  }
  export interface Connection {
    /** `host:port`. */
    readonly address: string
    readonly messageStream: NodeJS.WritableStream
    prepareCommand(
      database: string,
      command: Document,
      options: { readonly session?: ClientSession; readonly directConnection: boolean },
    ): Request
    destroy(): void
  }
  export const LEGAL_TCP_SOCKET_OPTIONS: readonly string[]
  export const LEGAL_TLS_SOCKET_OPTIONS: readonly string[]
  export function makeConnection(options: ConnectionOptions, socket: Socket): Connection
  /** Says hello and authenticates. */
  export function performInitialHandshake(connection: Connection, options: ConnectionOptions): Promise<void>
}

/** Of `MongoClient`: the servers it knows. */
declare module 'mongodb/lib/sdam/topology.js' {
  import type { EventEmitter } from 'node:events'
  import type { ReadPreference } from 'mongodb'
  import type { ConnectionOptions } from 'mongodb/lib/cmap/connect.js'

  export interface Topology {
    selectServer(
      readPreference: ReadPreference,
      options: { readonly signal: AbortSignal; readonly operationName: string },
    ): Promise<{ readonly pool: { readonly options: ConnectionOptions; readonly cancellationToken: EventEmitter } }>
  }
}
