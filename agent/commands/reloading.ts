import type { Config } from '../config/config.ts'
import type { Diagnostic } from '../core/diagnostics.ts'
import type { ReloadReport } from '../http/agent-view.ts'

export interface LoadedConfig {
  /** Undefined when there are errors among the diagnostics. */
  readonly config?: Config
  readonly diagnostics: readonly Diagnostic[]
}

/** What the agent needs to know of the thing that reads the configuration file again. */
export interface Reloading {
  /** Begins to watch the file. */
  start(): Promise<void>
  /** Reads it now; resolves when the outcome has been told to the hooks. */
  reload(): Promise<ReloadReport>
  stop(): Promise<void>
}
