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
