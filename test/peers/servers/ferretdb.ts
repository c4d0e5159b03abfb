import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { endsWithThis } from '../../support/processes.ts'
import { freePort } from './free-port.ts'
import { peerBinary } from './peer.ts'
import { startPostgresql } from './postgresql.ts'

export interface FerretDb extends AsyncDisposable {
  readonly uri: string
  stop(): Promise<void>
}

/** What FerretDB keeps its documents in. */
export type Backend = 'SQLite' | 'PostgreSQL'

/** FerretDB 1 over a store of its own: a MongoDB-wire server that this project did not write. */
export async function startFerretDb(backend: Backend = 'SQLite'): Promise<FerretDb> {
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-ferretdb-'))
  const port = await freePort()
  const postgresql = backend === 'PostgreSQL' ? await startPostgresql() : undefined
  const args = ['-listen', `127.0.0.1:${port}`, ...(postgresql ? ['-postgresql', postgresql.url] : ['-dir', folder])]
  // Most of its time would go into collecting garbage.
  const env = { ...process.env, GOGC: '800' }
  const child = spawn(...endsWithThis(peerBinary('ferretdb'), args), { stdio: 'ignore', env })
  const ended = once(child, 'exit')
  const uri = `mongodb://127.0.0.1:${port}/?directConnection=true`
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 20_000 })
  try {
    await client.db('admin').command({ ping: 1 })
  } finally {
    await client.close()
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
    await postgresql?.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { uri, stop, [Symbol.asyncDispose]: stop }
}
