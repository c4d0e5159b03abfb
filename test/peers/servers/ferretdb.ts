import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { endsWithThis } from '../../support/processes.ts'
import { freePort } from './free-port.ts'
import { peerBinary } from './peer.ts'
import { startPostgresql } from './postgresql.ts'

export interface FerretDb extends AsyncDisposable {
  readonly uri: string
  readonly port: number
  stop(): Promise<void>
}

/** What FerretDB keeps its documents in. */
export type Backend = 'SQLite' | 'PostgreSQL'

export interface FerretDbOptions {
  readonly backend?: Backend
  /** The one user of database `admin`, by SCRAM; without it everybody is let in. */
  readonly account?: { readonly username: string; readonly password: string }
  /** What the one member of replica set `rs0` is called, without the port; without it there is no replica set. */
  readonly member?: string
  /** TLS only, and only with the certificate itself shown: PEM, its own authority. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** FerretDB 1 over a store of its own: a MongoDB-wire server that this project did not write. */
export async function startFerretDb(options: FerretDbOptions = {}): Promise<FerretDb> {
  const { backend = 'SQLite', account, member, tls } = options
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-ferretdb-'))
  const port = await freePort()
  const postgresql = backend === 'PostgreSQL' ? await startPostgresql() : undefined
  const [cert, key, both] = [join(folder, 'tls.crt'), join(folder, 'tls.key'), join(folder, 'tls.pem')]
  const args = ['-listen', `127.0.0.1:${port}`, ...(postgresql ? ['-postgresql', postgresql.url] : ['-dir', folder])]
  if (member) args.push('-name', `${member}:${port}`)
  if (tls) {
    await Promise.all([writeFile(cert, tls.cert), writeFile(key, tls.key), writeFile(both, tls.cert + tls.key)])
    args.push('-cert', cert, '-key', key, '-ca', cert)
  }
  const env = {
    ...process.env,
    // Most of its time would go into collecting garbage.
    GOGC: '800',
    ...(account ? { FERRETDB_USERNAME: account.username, FERRETDB_PASSWORD: account.password } : {}),
  }
  const child = spawn(...endsWithThis(peerBinary('ferretdb'), args), { stdio: 'ignore', env })
  const ended = once(child, 'exit')
  const who = account ? `${encodeURIComponent(account.username)}:${encodeURIComponent(account.password)}@` : ''
  const query = new URLSearchParams({ directConnection: 'true', ...(account ? { authSource: 'admin' } : {}) })
  if (tls) {
    const names = { tls: 'true', tlsCAFile: cert, tlsCertificateKeyFile: both, tlsAllowInvalidHostnames: 'true' }
    for (const [name, value] of Object.entries(names)) query.set(name, value)
  }
  const uri = `mongodb://${who}127.0.0.1:${port}/?${query}`
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 20_000 })
  try {
    await client.db('admin').command({ listDatabases: 1 })
  } finally {
    await client.close()
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
    await postgresql?.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { uri, port, stop, [Symbol.asyncDispose]: stop }
}
