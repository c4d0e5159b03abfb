import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { endsWithThis } from '../../support/processes.ts'
import { until } from '../../support/until.ts'

export interface StartOptions {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly port: number
}

/** A server in a process of its own, on a port of the loopback address; ready once it takes connections. */
export async function startChild(binary: string, { args, env, port }: StartOptions): Promise<ChildProcess> {
  const child = spawn(...endsWithThis(binary, args), { env: { ...process.env, ...env }, stdio: 'ignore' })
  await until(`${binary} on port ${port}`, 30_000, () => listens(port), 20)
  return child
}

export async function endChild(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.destroy()
  return true
}
