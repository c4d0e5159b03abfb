import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'

/** 0 done, 1 failed, 2 wrong usage or configuration, 3 partial, 4 refused. */
export type ExitCode = 0 | 1 | 2 | 3 | 4

/** The world a command runs in; `main.ts` makes it from the process. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly logger: Logger
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  readonly toolVersion: string
  /** Results go here. */
  readonly stdout: Output
  /** Everything else a person reads goes here. */
  readonly stderr: Output
  /** One line from standard input; undefined at its end. */
  readonly readLine: () => Promise<string | undefined>
}

export interface Output {
  readonly isTerminal: boolean
  write(text: string): void
}

export interface CommonOptions {
  readonly config: string
  readonly json?: boolean
}
