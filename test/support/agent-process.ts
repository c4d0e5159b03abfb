import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endsWithThis } from './processes.ts'

const MAIN = fileURLToPath(new URL('../../agent/main.ts', import.meta.url))
/** What Node.js made of the TypeScript is made once, not by each of a thousand processes. */
export const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))

export interface AgentOptions {
  readonly configFile: string
  readonly env: Readonly<Record<string, string>>
}

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs one command of the real program to its end. */
export async function runCommand(
  options: AgentOptions,
  args: readonly string[],
  input?: string,
): Promise<CommandResult> {
  const child = spawnMain(options, [...args, '--config', options.configFile], 'pipe')
  child.stdin?.end(input)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { code: typeof code === 'number' ? code : 1, stdout, stderr }
}

/** The real agent as a process. */
export class AgentProcess implements AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** Every log line so far, parsed where it is JSON. */
  readonly log: readonly Readonly<Record<string, unknown>>[]
  readonly #process: ChildProcess

  private constructor(process: ChildProcess, url: string, log: readonly Readonly<Record<string, unknown>>[]) {
    this.#process = process
    this.url = url
    this.log = log
    this.pid = process.pid ?? 0
  }

  /** Resolves once it listens; rejects with what it said when it ended instead. */
  static async start(options: AgentOptions, args: readonly string[] = []): Promise<AgentProcess> {
    const child = spawnMain(options, ['agent', '--port', '0', '--config', options.configFile, ...args], 'ignore')
    child.stdout?.resume()
    const log: Readonly<Record<string, unknown>>[] = []
    const port = await new Promise<number>((resolve, reject) => {
      const lines = createInterface({ input: child.stderr ?? process.stdin })
      lines.on('line', (line) => {
        const entry = parseLine(line)
        log.push(entry)
        if (typeof entry['port'] === 'number') resolve(entry['port'])
      })
      child.once('exit', (code) => reject(new Error(`the agent ended with ${code}: ${JSON.stringify(log)}`)))
    })
    return new AgentProcess(child, `http://127.0.0.1:${port}`, log)
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.url}/metrics`)).text()
  }

  /** The value of one series, written as `/metrics` writes it. */
  async metric(series: string): Promise<number | undefined> {
    const line = (await this.metrics()).split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }

  /** SHA-256 of the configuration in force. */
  async configDigest(): Promise<string> {
    return /palette_backup_config_info\{digest="([^"]+)"/.exec(await this.metrics())?.[1] ?? ''
  }

  async status(): Promise<unknown> {
    return await (await fetch(`${this.url}/status`)).json()
  }

  /** Asks it to stop and gives its exit code. */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return this.#process.exitCode
    const ended = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    await ended
    return this.#process.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** One command of the real program that is left to run: for who ends it himself. */
export function startCommand(
  options: AgentOptions,
  args: readonly string[],
  stdin: 'ignore' | 'pipe' = 'ignore',
): ChildProcess {
  const child = spawnMain(options, [...args, '--config', options.configFile], stdin)
  child.stdout?.resume()
  child.stderr?.resume()
  return child
}

function spawnMain({ env }: AgentOptions, args: readonly string[], stdin: 'ignore' | 'pipe'): ChildProcess {
  return spawn(...endsWithThis(process.execPath, [MAIN, ...args]), {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], NODE_COMPILE_CACHE: COMPILED, ...env },
    stdio: [stdin, 'pipe', 'pipe'],
  })
}

function parseLine(line: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : { text: line }
  } catch {
    return { text: line }
  }
}
