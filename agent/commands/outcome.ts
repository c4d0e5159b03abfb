import type { ErrorCode } from '../core/errors.ts'
import { Failure, failureData, toFailure } from '../core/errors.ts'
import type { RunResult } from '../core/events.ts'
import type { CommandContext, ExitCode } from './context.ts'

const RESULT_EXIT: Readonly<Record<RunResult, ExitCode>> = { success: 0, partial: 3, failed: 1, cancelled: 1 }
const CODE_EXIT: Readonly<Partial<Record<ErrorCode, ExitCode>>> = { config: 2, refused: 4 }

export function exitCodeOf(result: RunResult): ExitCode {
  return RESULT_EXIT[result]
}

export function exitCodeOfFailure(failure: Failure): ExitCode {
  return CODE_EXIT[failure.code] ?? 1
}

/** A configuration that was refused and has been explained already: nothing more is to be printed. */
export class Explained extends Failure {
  constructor() {
    super('the configuration is invalid', { code: 'config' })
  }
}

/** Prints what went wrong, as a sentence and a hint, or as JSON, and gives the exit code for it. */
export function reportFailure(thrown: unknown, context: CommandContext, json = false): ExitCode {
  const failure = toFailure(thrown)
  if (!(failure instanceof Explained)) {
    if (json) printJson({ error: failureData(failure) }, context)
    else context.stderr.write(formatFailure(failure))
    if (failure.code === 'internal') context.logger.debug({ err: thrown }, 'internal error')
  }
  return exitCodeOfFailure(failure)
}

export function formatFailure({
  message,
  hint,
}: {
  readonly message: string
  readonly hint?: string | undefined
}): string {
  return `Error: ${message}\n${hint === undefined ? '' : `  ${hint}\n`}`
}

export function printJson(value: unknown, { stdout }: CommandContext): void {
  stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
