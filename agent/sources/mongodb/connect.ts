import type { MongoClientOptions } from 'mongodb'
import { MongoClient } from 'mongodb'
import type { MongodbConfig, MongodbTls } from '../../config/config.ts'
import { throwIfAborted } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import { malformedUri, mongodbFailure } from './classify.ts'
import { memberUri } from './member-uri.ts'
import { COMMENT } from './operation.ts'
import { refusedPart } from './refused-part.ts'

const CONNECT_MS = 15 * SECOND_MS
/** A server that says nothing for so long in the middle of a command is taken for dead. */
const SILENCE_MS = 180 * SECOND_MS
/** A goodbye that takes longer is left to the server's own time limits. */
const GOODBYE_MS = 2 * SECOND_MS

export interface Connection extends AsyncDisposable {
  readonly client: MongoClient
}

export interface ConnectOptions {
  /** Default: `primary`; every batch of a cursor must come from the member that opened it. */
  readonly readPreference?: 'primary' | 'primaryPreferred' | 'secondaryPreferred'
  /** Default: true. An abort closes the connection; false for who ends cursors and sessions himself. */
  readonly closeOnAbort?: boolean
  /** How long to look for the server. Default: 15 s. */
  readonly connectMs?: number
  /** Waits for answers however long they take; a server that is gone is noticed by the connection's keep-alive. */
  readonly patient?: boolean
}

/** Connects and proves the credentials; an abort closes the connection, which fails whatever runs on it. */
export async function connect(
  config: MongodbConfig,
  signal: AbortSignal,
  options: ConnectOptions = {},
): Promise<Connection> {
  return open(config, config.uri.reveal(), signal, options)
}

/** Connects to one member of the set that `set` is connected to, and to no other, whatever becomes of it. */
export async function connectToMember(
  config: MongodbConfig,
  host: string,
  set: Connection,
  signal: AbortSignal,
  options: ConnectOptions,
): Promise<Connection> {
  return open(config, memberUri(config.uri.reveal(), host, set.client), signal, options)
}

async function open(
  config: MongodbConfig,
  uri: string,
  signal: AbortSignal,
  options: ConnectOptions,
): Promise<Connection> {
  throwIfAborted(signal, 'connecting to MongoDB')
  const client = openClient(config, uri, options)
  const doing = `connecting to MongoDB at ${hostsOf(client)}`
  const onAbort = (): void => void client.close().catch(() => undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', onAbort)
    await Promise.race([client.close().catch(() => undefined), after(GOODBYE_MS)])
  }
  try {
    await client.connect()
    const { readPreference = 'primary' } = options
    await client.db('admin').command({ ping: 1, comment: COMMENT }, { readPreference })
  } catch (cause) {
    await close()
    throwIfAborted(signal, doing)
    throw mongodbFailure(cause, doing, config)
  }
  if (options.closeOnAbort === false) signal.removeEventListener('abort', onAbort)
  return { client, [Symbol.asyncDispose]: close }
}

/** As the driver understood them: cutting them out of the text would sooner or later print half a password. */
export function hostsOf({ options }: MongoClient): string {
  return options.srvHost ?? options.hosts.map(String).join(',')
}

/** The same of a server that is not connected to. */
export function hostsIn(config: MongodbConfig): string {
  return hostsOf(openClient(config, config.uri.reveal(), {}))
}

/** Which part of the connection string the driver refuses, without connecting: the rest of a sentence. */
export function refusalOf(config: MongodbConfig): string | undefined {
  const uri = config.uri.reveal()
  const create = clientMaker(config, uri, {})
  try {
    create(uri)
    return undefined
  } catch {
    return refusedPart(uri, create) ?? 'it does not say which part of it'
  }
}

function openClient(config: MongodbConfig, uri: string, options: ConnectOptions): MongoClient {
  const create = clientMaker(config, uri, options)
  try {
    return create(uri)
  } catch {
    throw malformedUri(config, refusedPart(uri, create))
  }
}

function clientMaker(config: MongodbConfig, uri: string, options: ConnectOptions): (text: string) => MongoClient {
  const { caCert, tls } = config
  const { readPreference = 'primary', connectMs = CONNECT_MS, patient = false } = options
  const defaults = {
    appName: 'palette-backup',
    serverSelectionTimeoutMS: connectMs,
    connectTimeoutMS: connectMs,
    socketTimeoutMS: SILENCE_MS,
    maxPoolSize: 8,
  }
  const written = uri.toLowerCase()
  const kept = Object.entries(defaults).filter(([name]) => !written.includes(`${name.toLowerCase()}=`))
  return (text) =>
    new MongoClient(text, {
      ...Object.fromEntries(kept),
      readPreference,
      ...(patient ? { socketTimeoutMS: 0 } : {}),
      ...(caCert === undefined ? {} : { tls: true, ca: caCert }),
      ...(tls ? tlsOptions(tls) : {}),
    })
}

function tlsOptions({ clientCert, clientKey, allowInvalidHostnames }: MongodbTls): MongoClientOptions {
  return {
    tls: true,
    ...(clientCert === undefined ? {} : { cert: clientCert }),
    ...(clientKey === undefined ? {} : { key: clientKey.reveal() }),
    ...(allowInvalidHostnames ? { tlsAllowInvalidHostnames: true } : {}),
  }
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => {
    AbortSignal.timeout(ms).addEventListener('abort', () => resolve(), { once: true })
  })
}
