import { existsSync } from 'node:fs'

const SETPRIV = '/usr/bin/setpriv'

/**
 * A command whose process the kernel ends when this one ends, however that is (PR_SET_PDEATHSIG, prctl(2)): a test
 * runner that is killed runs no handler. On systems without it, the command as it is.
 */
export function endsWithThis(program: string, args: readonly string[]): [program: string, args: string[]] {
  return existsSync(SETPRIV) ? [SETPRIV, ['--pdeathsig', 'KILL', '--', program, ...args]] : [program, [...args]]
}

/** Whether the process is there (a zombie counts as there). */
export function isAlive(pid: number): boolean {
  return sendIfAlive(pid, 0)
}

/** Sends a signal to a process that may end on its own before: false when it was gone. */
export function sendIfAlive(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
