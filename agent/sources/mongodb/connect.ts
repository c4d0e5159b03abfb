import { MongoClient } from 'mongodb'
import type { MongodbConfig } from '../../config/config.ts'
import { throwIfAborted } from '../../core/errors.ts'
import { SECOND_MS } from '../../core/units.ts'
import { mongodbFailure } from './classify.ts'

const CONNECT_MS = 15 * SECOND_MS
/** A server that says nothing for so long in the middle of a command is taken for dead. */
const SILENCE_MS = 180 * SECOND_MS

export interface Connection extends AsyncDisposable {
  readonly client: MongoClient
}

/** Connects and proves the credentials; an abort closes the connection, which fails whatever runs on it. */
export async function connect(config: MongodbConfig, signal: AbortSignal): Promise<Connection> {
  const doing = `connecting to MongoDB at ${hostsOf(config)}`
  throwIfAborted(signal, doing)
  const client = openClient(config, doing)
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

/** The hosts of the connection string: all of it that may be printed. */
export function hostsOf({ uri }: MongodbConfig): string {
  return /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?]+)/.exec(uri.reveal())?.[1] ?? 'an unreadable connection string'
}

function openClient({ uri, caCert }: MongodbConfig, doing: string): MongoClient {
  try {
    return new MongoClient(uri.reveal(), {
      appName: 'palette-backup',
      // Every batch of a cursor must come from the member that opened it.
      readPreference: 'primary',
      serverSelectionTimeoutMS: CONNECT_MS,
      connectTimeoutMS: CONNECT_MS,
      socketTimeoutMS: SILENCE_MS,
      maxPoolSize: 8,
      monitorCommands: false,
      ...(caCert === undefined ? {} : { tls: true, ca: caCert }),
    })
  } catch (cause) {
    throw mongodbFailure(cause, doing)
  }
}
