import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { InFlightRecord, Owner } from '../backup/in-flight.ts'
import { HEARTBEAT_MS } from '../backup/in-flight.ts'
import type { Clock } from '../core/clock.ts'

/** Heartbeats that may be missing before a run on another machine is taken for dead. */
const MISSED_HEARTBEATS = 8

/** This process, so that another one can tell later whether it is still there. */
export function thisOwner(): Owner {
  return { host: hostname(), boot: bootId(), pid: process.pid, started: startedAt(process.pid) ?? '' }
}

/**
 * Whether the process that wrote a record is gone. On the same machine that is certain: its process id is free or
 * belongs to a process with another start. Of other machines only a heartbeat that stopped long ago tells.
 */
export function isDead({ owner, heartbeat_at }: InFlightRecord, clock: Clock): boolean {
  const here = thisOwner()
  if (owner.host === here.host && owner.boot === here.boot && here.boot !== '') {
    return startedAt(owner.pid) !== owner.started
  }
  return clock.now().getTime() - new Date(heartbeat_at).getTime() > MISSED_HEARTBEATS * HEARTBEAT_MS
}

function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

/** Start time in clock ticks since boot: field 22 of /proc/PID/stat (proc(5)); the name before it may hold spaces. */
function startedAt(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
