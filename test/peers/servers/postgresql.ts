import { execFile } from 'node:child_process'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { endChild, startChild } from './child.ts'
import { freePort } from './free-port.ts'
import { peerBinary } from './peer.ts'

const run = promisify(execFile)
const USER = 'ferretdb'
const NOBODY = 65_534

export interface Postgresql {
  readonly url: string
  stop(): Promise<void>
}

/** PostgreSQL with an empty database in a folder of its own, which goes when it is stopped. */
export async function startPostgresql(): Promise<Postgresql> {
  const folder = await mkdtemp(join(tmpdir(), 'palette-backup-postgresql-'))
  if (process.getuid?.() === 0) await chown(folder, NOBODY, NOBODY)
  const data = join(folder, 'data')
  const port = await freePort()
  const made = ['-D', data, '-U', USER, '--auth', 'trust', '--no-sync', '--no-locale', '-E', 'UTF8']
  await run(...asNobody(peerBinary('initdb'), made), { cwd: folder })
  const settings = ['-h', '127.0.0.1', '-p', String(port), '-k', folder, '-c', 'fsync=off', '-c', 'max_connections=50']
  const [program, args] = asNobody(peerBinary('postgres'), ['-D', data, ...settings])
  const child = await startChild(program, { args, port })
  return {
    url: `postgres://${USER}@127.0.0.1:${port}/postgres`,
    async stop() {
      await endChild(child)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * PostgreSQL refuses to be run by root. Its programs may lie where only root can go: whoever runs them instead may look
 * there and change nothing (capabilities(7), CAP_DAC_READ_SEARCH, also for access(2) by SECBIT_NO_SETUID_FIXUP).
 */
function asNobody(program: string, args: readonly string[]): [program: string, args: string[]] {
  if (process.getuid?.() !== 0) return [program, [...args]]
  const capability = '+dac_read_search'
  const who = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups']
  const may = ['--securebits', '+no_setuid_fixup', '--inh-caps', capability, '--ambient-caps', capability]
  // Whoever becomes another user loses what was to end him with this process.
  return ['setpriv', [...may, ...who, '--pdeathsig', 'KILL', '--', program, ...args]]
}
