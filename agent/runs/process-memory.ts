import { readFileSync, writeFileSync } from 'node:fs'
import { KIB } from '../core/units.ts'

export interface ProcessMemory {
  /** Resident now, and at most so far. */
  readonly bytes: number
  readonly peakBytes: number
}

/** What the kernel says of a process (proc_pid_status(5)); undefined once it is gone, and on systems without /proc. */
export function processMemory(pid: number): ProcessMemory | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kib = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0)
    const bytes = kib('VmRSS') * KIB
    return bytes > 0 ? { bytes, peakBytes: kib('VmHWM') * KIB } : undefined
  } catch {
    return undefined
  }
}

/** Between the agent, at 0, and what must never be chosen. */
const RUN_SCORE = '500'

/** Asks the kernel, when memory is short, to end this process before the agent (proc_pid_oom_score_adj(5)). */
export function offerToOomKiller(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, RUN_SCORE)
  } catch {
    // Gone already, or a system without it: then the kernel chooses by size, and a run is larger than the agent.
  }
}
