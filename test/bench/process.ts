import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { endsWithThis } from '../support/processes.ts'

export interface StartedProcess extends AsyncDisposable {
  readonly pid: number
  /** The first group of the pattern in the line that said it was ready. */
  readonly match: string
}

/** Starts a Node.js process and waits for the line on its standard output that says it is ready. */
export async function startProcess(args: readonly string[], ready: RegExp): Promise<StartedProcess> {
  const child = spawn(...endsWithThis(process.execPath, args), { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    const match = ready.exec(line)?.[1]
    if (match === undefined) continue
    child.stdout.resume()
    return {
      pid: child.pid ?? 0,
      match,
      async [Symbol.asyncDispose]() {
        child.kill('SIGTERM')
        await ended
      },
    }
  }
  throw new Error(`${args.join(' ')} ended before it was ready`)
}
