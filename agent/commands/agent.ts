import { loadConfig, readConfigFile } from '../config/load.ts'
import { Reloader } from '../config/reloader.ts'
import { Agent } from './agent-process.ts'
import { explainRefusal } from './configuration.ts'
import type { CommandContext, ExitCode } from './context.ts'

export interface AgentCommand {
  readonly configFile: string
  readonly host: string
  readonly port: number
  readonly tokenFile?: string
  /** What keeps it from starting is told as JSON; its log is JSON anyway. */
  readonly json?: boolean
  /** How long backups that go on may take to end by themselves when the agent stops. */
  readonly drainMs: number
  /** The program that a run process executes: this one. */
  readonly mainFile: string
  readonly onHangup: (listener: () => void) => void
  /** A second request to stop, while the first one is being fulfilled. */
  readonly onHurry: (listener: () => void) => void
}

/**
 * Young objects of a run are bytes on their way out: a larger nursery would only keep them longer. Measured: 25 MiB
 * less at the peak of a run, at the same speed.
 */
const RUN_FLAGS = ['--max-semi-space-size=1']

/** Everything that is always up, until somebody asks it to stop. */
export async function runAgent(command: AgentCommand, context: CommandContext): Promise<ExitCode> {
  const { configFile: file, host, port, tokenFile, drainMs, mainFile } = command
  const { clock, env, signal } = context
  const load = () => readConfigFile(file, env)
  const { config, diagnostics, files } = await load()
  if (!config) throw explainRefusal(diagnostics, command, context)
  const agent = new Agent(
    {
      configFile: file,
      host,
      port,
      tokenFile,
      drainMs,
      runCommand: [process.execPath, ...RUN_FLAGS, mainFile, 'run'],
      initial: { config, diagnostics },
      loadText: (text) => loadConfig(text, { file, env }),
      createReloading: (hooks) => new Reloader({ ...hooks, clock, load, files }),
    },
    context,
  )
  // A hangup that comes while it starts would end the process.
  const started = agent.start()
  command.onHangup(() => void started.then(() => agent.reload()).catch(() => undefined))
  await started
  command.onHurry(() => agent.hurry())
  await stopAsked(signal)
  await agent.stop()
  return 0
}

function stopAsked(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
