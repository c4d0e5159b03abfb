import type { MongoClientOptions } from 'mongodb'
import { MongoClient } from 'mongodb'
import type { MongodbConfig, MongodbTls } from '../../config/config.ts'
import { throwIfAborted } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import { malformedUri, mongodbFailure } from './classify.ts'

const CONNECT_MS = 15 * SECOND_MS
/** A server that says nothing for so long in the middle of a command is taken for dead. */
const SILENCE_MS = 180 * SECOND_MS

export interface Connection extends AsyncDisposable {
  readonly client: MongoClient
}

/** Connects and proves the credentials; an abort closes the connection, which fails whatever runs on it. */
export async function connect(config: MongodbConfig, signal: AbortSignal): Promise<Connection> {
  throwIfAborted(signal, 'connecting to MongoDB')
  const client = openClient(config)
  const doing = `connecting to MongoDB at ${hostsOf(client)}`
  const onAbort = (): void => void client.close().catch(() => undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  const close = async (): Promise<void> => {
    signal.removeEventListener('abort', onAbort)
    await client.close().catch(() => undefined)
  }
  try {
    await client.connect()
    await client.db('admin').command({ ping: 1 })
  } catch (cause) {
    await close()
    throwIfAborted(signal, doing)
    throw mongodbFailure(cause, doing)
  }
  return { client, [Symbol.asyncDispose]: close }
}

/** As the driver understood them: cutting them out of the text would sooner or later print half a password. */
function hostsOf({ options }: MongoClient): string {
  return options.srvHost ?? options.hosts.map(String).join(',')
}

function openClient({ uri, caCert, tls }: MongodbConfig): MongoClient {
  const defaults = {
    appName: 'palette-backup',
    serverSelectionTimeoutMS: CONNECT_MS,
    connectTimeoutMS: CONNECT_MS,
    socketTimeoutMS: SILENCE_MS,
    maxPoolSize: 8,
  }
  const written = uri.reveal().toLowerCase()
  const kept = Object.entries(defaults).filter(([name]) => !written.includes(`${name.toLowerCase()}=`))
  try {
    return new MongoClient(uri.reveal(), {
      ...Object.fromEntries(kept),
      // Every batch of a cursor must come from the member that opened it.
      readPreference: 'primary',
      ...(caCert === undefined ? {} : { tls: true, ca: caCert }),
      ...(tls ? tlsOptions(tls) : {}),
    })
  } catch {
    throw malformedUri()
  }
}

function tlsOptions({ clientCert, clientKey, allowInvalidHostnames }: MongodbTls): MongoClientOptions {
  return {
    tls: true,
    ...(clientCert === undefined ? {} : { cert: clientCert }),
    ...(clientKey === undefined ? {} : { key: clientKey.reveal() }),
    ...(allowInvalidHostnames ? { tlsAllowInvalidHostnames: true } : {}),
  }
}
