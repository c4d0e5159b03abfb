import { readFileSync } from 'node:fs'

/**
 * How many processes of this machine the kernel has ended because memory was short: of the machine, or of a container
 * (`oom_kill` of /proc/vmstat; the same under both versions of cgroups). Undefined on systems that do not count them.
 */
export function outOfMemoryKills(): number | undefined {
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1]
    return count === undefined ? undefined : Number(count)
  } catch {
    return undefined
  }
}

/** Whether a line of standard error is V8's last word before it aborts because its heap is full. */
export function isHeapFull(line: string): boolean {
  return line.includes('JavaScript heap out of memory')
}
