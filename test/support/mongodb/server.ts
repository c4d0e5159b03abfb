import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { ConnectionState, Context, Settings } from './context.ts'
import { Cursors } from './cursors.ts'
import { collectionOf, errorReply, serve } from './dispatch.ts'
import { encode } from './encode.ts'
import { type FaultOutcome, Faults } from './faults.ts'
import { type Member, Membership } from './membership.ts'
import { Retries } from './retries.ts'
import type { Account } from './scram.ts'
import { Sessions } from './sessions.ts'
import { Store } from './store.ts'
import { type Request, requests } from './wire.ts'

const VERSION = '7.0.14'
const MOST_REMEMBERED = 10_000

export interface MongodbOptions {
  /** Default: one that is free. */
  readonly port?: number
  readonly host?: string
  /** `host:port` the member calls itself, where clients come through a proxy. Default: where it listens. */
  readonly advertise?: string
  /** SCRAM-SHA-256 in `admin`; without it nobody has to authenticate. */
  readonly auth?: Account
  readonly tls?: TlsOptions
  /** Default: true. false ignores read concern "snapshot" without a word, as FerretDB does. */
  readonly snapshotReads?: boolean
  /** No replica set: no set name, no times in replies, no snapshot reads. */
  readonly standalone?: boolean
  /** Default: a 7.0. */
  readonly version?: string
  /** The set it is a member of, and the documents it shares with the others; see `startReplicaSet`. */
  readonly joins?: { readonly membership: Membership; readonly member: Member; readonly store: Store }
}

interface SeenRequest {
  readonly name: string
  readonly database: string
  readonly collection: string | undefined
  /** The command without document lists. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** A running double. */
export interface MongodbDouble extends AsyncDisposable {
  readonly uri: string
  readonly port: number
  readonly store: Store
  readonly faults: Faults
  /** Called with every command before it is served, for what happens at a moment of the test's choice. */
  onCommand: ((name: string, collection: string | undefined) => void) | undefined
  /** Names of the last commands, oldest first. */
  readonly commands: readonly string[]
  /** The last commands with what they asked for. */
  readonly requests: readonly SeenRequest[]
  openCursors(): number
  /** Sessions that clients have used and not ended. */
  openSessions(): number
  openConnections(): number
  /** Cuts all connections; with them goes every cursor. */
  hangUp(): void
  /** Ends all connections; resolves when nothing is left. */
  stop(): Promise<void>
}

/**
 * Starts a double of a MongoDB 7.0 server, by default the only member of the replica set `rs0`. It speaks the wire
 * protocol, keeps documents as bytes, and refuses what it does not play with code 238 or 59 instead of guessing.
 */
export async function startMongodb(options: MongodbOptions = {}): Promise<MongodbDouble> {
  const host = options.host ?? '127.0.0.1'
  const store = options.joins?.store ?? new Store()
  const faults = new Faults()
  const cursors = new Cursors(store)
  const retries = new Retries()
  const sessions = new Sessions()
  const seen: SeenRequest[] = []
  const names: string[] = []
  const sockets = new Set<Socket>()
  const open = new Map<Socket, Promise<void>>()
  let connections = 0
  let settings: Settings | undefined

  const accept = (socket: Socket): void => {
    connections += 1
    const connection: ConnectionState = { id: connections, authenticated: false, conversation: undefined }
    if (!settings) return
    const context: Context = { settings, store, cursors, retries, sessions, connection }
    const ended = converse(socket, context, faults, remember).finally(() => open.delete(socket))
    open.set(socket, ended)
  }
  const remember = (request: Request): void => {
    const { name, database, fields } = request
    double.onCommand?.(name, collectionOf(request))
    names.push(name)
    seen.push({ name, database, collection: collectionOf(request), fields })
    if (names.length > MOST_REMEMBERED) names.shift()
    if (seen.length > MOST_REMEMBERED) seen.shift()
  }

  const server = options.tls ? createTlsServer(options.tls, accept) : createServer(accept)
  // A TLS connection that is not yet secure is known to nobody else.
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const port = await listen(server, options.port ?? 0, host)
  settings = settingsOf(options, `${host}:${port}`)
  if (!options.joins || options.joins.member.id === 0) seedOwnDatabases(store, settings)
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy()
    cursors.clear()
  }
  const stop = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    hangUp()
    await Promise.all([closed, ...open.values()])
  }
  const double: MongodbDouble = {
    uri: uriOf(settings, options, `${host}:${port}`),
    port,
    store,
    faults,
    onCommand: undefined,
    commands: names,
    requests: seen,
    openCursors: () => cursors.size,
    openSessions: () => sessions.size,
    openConnections: () => open.size,
    hangUp,
    stop,
    [Symbol.asyncDispose]: stop,
  }
  return double
}

/** Serves one connection, request by request, until it ends. */
async function converse(
  socket: Socket,
  context: Context,
  faults: Faults,
  remember: (request: Request) => void,
): Promise<void> {
  const closed = new AbortController()
  socket.once('close', () => closed.abort())
  socket.on('error', () => undefined)
  socket.setNoDelay(true)
  try {
    for await (const request of requests(socket)) {
      remember(request)
      let outcome: FaultOutcome = 'serve'
      let answer: readonly Buffer[] | undefined
      try {
        outcome = await faults.strike(request.name, collectionOf(request), closed.signal)
      } catch (error) {
        answer = errorReply(request, error, context)
      }
      if (outcome === 'close') break
      answer ??= serve(request, context)
      if (outcome === 'serve then close') break
      if (!request.silent && !(await write(socket, answer, closed.signal))) break
    }
  } catch {
    // Broken messages and broken connections end alike: a server hangs up.
  } finally {
    socket.destroy()
  }
}

async function write(socket: Socket, pieces: readonly Buffer[], closed: AbortSignal): Promise<boolean> {
  if (closed.aborted) return false
  socket.cork()
  let flowing = true
  for (const piece of pieces) flowing = socket.write(piece)
  socket.uncork()
  if (flowing) return true
  await new Promise<void>((resolve) => {
    const go = (): void => {
      socket.off('drain', go)
      closed.removeEventListener('abort', go)
      resolve()
    }
    socket.once('drain', go)
    closed.addEventListener('abort', go)
  })
  return !closed.aborted
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })
}

function settingsOf(options: MongodbOptions, listening: string): Settings {
  const address = options.advertise ?? listening
  const membership = options.standalone ? undefined : (options.joins?.membership ?? new Membership('rs0', [{}]))
  const member = options.joins?.member ?? membership?.members[0]
  if (member) member.address = address
  return {
    setName: membership?.setName,
    membership,
    member,
    address,
    version: options.version ?? VERSION,
    snapshotReads: options.snapshotReads ?? true,
    account: options.auth,
  }
}

function uriOf(settings: Settings, { auth, tls }: MongodbOptions, listening: string): string {
  const user = auth ? `${encodeURIComponent(auth.username)}:${encodeURIComponent(auth.password)}@` : ''
  const query = new URLSearchParams({
    ...(settings.setName === undefined ? {} : { replicaSet: settings.setName }),
    ...(auth ? { authSource: 'admin' } : {}),
    ...(tls ? { tls: 'true' } : {}),
  })
  return `mongodb://${user}${listening}/?${query}`
}

/** What every server has beside the data of its users. MongoDB manual, System Collections; The Local Database. */
function seedOwnDatabases(store: Store, { setName, version }: Settings): void {
  const featureCompatibilityVersion = version.split('.').slice(0, 2).join('.')
  store.add('admin', 'system.version', {
    documents: [encode({ _id: 'featureCompatibilityVersion', version: featureCompatibilityVersion })],
  })
  store.add('config', 'system.sessions')
  store.add('local', 'startup_log', { options: { capped: true, size: 10_485_760 } })
  if (setName !== undefined) store.add('local', 'oplog.rs', { options: { capped: true, size: 1_073_741_824 } })
}
