import { readdir, readFile } from 'node:fs/promises'

/** The process id of the agent's child that performs a run, from /proc. */
export async function runProcessOf(agentPid: number): Promise<number> {
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    try {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      if (parent === agentPid) return pid
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error(`process ${agentPid} has no child`)
}
