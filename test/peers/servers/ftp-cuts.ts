import type { FtpPeer } from './ftp-peer.ts'
import { run } from './ftp-peer.ts'

/** Cuts what this process has open to the server, from below, as a firewall would. */
export async function cut(which: 'control' | 'data', { port }: FtpPeer): Promise<void> {
  const ports = which === 'control' ? [port] : await dataPorts(port)
  if (ports.length === 0) throw new Error('there is no data connection to cut')
  for (const one of ports) await run('ss', ['--kill', '-Htn', 'dst', '127.0.0.1', 'dport', '=', String(one)])
}

/** The server's processes that serve sessions now. */
export async function sessionPids({ port }: FtpPeer): Promise<number[]> {
  const { stdout } = await run('ss', ['-Htnp', 'state', 'established', 'sport', '=', String(port)])
  return [...new Set([...stdout.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid)))]
}

async function dataPorts(controlPort: number): Promise<number[]> {
  const { stdout } = await run('ss', ['-Htnp', 'state', 'established', 'dst', '127.0.0.1'])
  const own = stdout.split('\n').filter((line) => line.includes(`pid=${process.pid},`))
  const ports = own.map((line) => Number(/127\.0\.0\.1:\d+\s+127\.0\.0\.1:(\d+)/.exec(line)?.[1]))
  return ports.filter((port) => port > 0 && port !== controlPort)
}
