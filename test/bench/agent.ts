import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { IMAGE_ENV } from '../support/image-env.ts'

export interface BenchAgent extends AsyncDisposable {
  readonly url: string
  readonly pid: number
}

/** The agent as it ships (`main` is the entry file of the bundle); resolves once it listens. */
export async function startBenchAgent(
  main: string,
  configFile: string,
  env: Readonly<Record<string, string>> = {},
): Promise<BenchAgent> {
  const child = spawn(process.execPath, [main, 'agent', '--port', '0', '--config', configFile], {
    env: { ...process.env, ...IMAGE_ENV, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'exit')
  return {
    url: `http://127.0.0.1:${await portOf(child.stderr)}`,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function portOf(log: NodeJS.ReadableStream): Promise<number> {
  for await (const line of createInterface({ input: log })) {
    const port = /"port":(\d+)/.exec(line)?.[1]
    if (port === undefined) continue
    log.resume()
    return Number(port)
  }
  throw new Error('the agent ended before it listened')
}
