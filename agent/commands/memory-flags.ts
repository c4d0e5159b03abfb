import { setFlagsFromString } from 'node:v8'

/**
 * For the agent, before its code is loaded. It waits most of its life, and everything heavy happens in runs, which are
 * processes with flags of their own: machine code for its functions would cost more memory than it ever saves time.
 */
export function saveMemory(): void {
  for (const flag of ['--no-opt', '--no-maglev', '--optimize-for-size']) setFlagsFromString(flag)
}

/**
 * For every other command. What V8 adds to its heap before it collects again is 9 MB where it has its way, buffers
 * included; those in flight vary by more than that, and it would collect ten times a second for nothing.
 */
export function collectLessOften(): void {
  setFlagsFromString('--heap-growing-percent=100')
}
