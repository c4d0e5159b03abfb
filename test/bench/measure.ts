import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Usage {
  readonly wallSeconds: number
  /** User and system time of the command and everything it started. */
  readonly cpuSeconds: number
  /** Peak resident memory of each process by name, MiB. */
  readonly peakMib: Readonly<Record<string, number>>
  readonly stdout: string
}

const POLL_MS = 20

/** Runs a shell command and measures it from outside: bash's `time`, and the kernel's high-water mark of each process. */
export async function measureCommand(command: string, env: Readonly<Record<string, string>>): Promise<Usage> {
  const script = `set -o pipefail; TIMEFORMAT='%R %U %S'; time { ${command}; }`
  const child = spawn('bash', ['-c', script], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const peaks = new Map<number, { name: string; mib: number }>()
  let running = true
  const polling = (async () => {
    while (running && child.pid !== undefined) {
      for (const pid of descendants(child.pid)) notePeak(pid, peaks)
      await sleep(POLL_MS)
    }
  })()
  const [code] = await once(child, 'close')
  running = false
  await polling
  const times = /([\d.]+) ([\d.]+) ([\d.]+)\s*$/.exec(stderr)
  if (code !== 0 || !times) throw new Error(`${command}\nended with ${code}:\n${stderr}\n${stdout}`)
  const [wall = 0, user = 0, system = 0] = times.slice(1).map(Number)
  const peakMib: Record<string, number> = {}
  for (const { name, mib } of peaks.values()) peakMib[name] = Math.max(peakMib[name] ?? 0, mib)
  return { wallSeconds: wall, cpuSeconds: user + system, peakMib, stdout }
}

/** Resident memory of a process right now, MiB. */
export function residentMib(pid: number): number {
  return statusMib(pid, 'VmRSS')
}

function notePeak(pid: number, peaks: Map<number, { name: string; mib: number }>): void {
  try {
    const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
    // A process that has ended and was not yet waited for has no memory any more.
    const mib = Math.max(statusMib(pid, 'VmHWM'), peaks.get(pid)?.mib ?? 0)
    if (name !== 'bash') peaks.set(pid, { name, mib })
  } catch {
    // It ended between the listing and the look.
  }
}

function statusMib(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024
}

function descendants(root: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // It ended meanwhile.
    }
  }
  const found = [root]
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child)
  return found
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
