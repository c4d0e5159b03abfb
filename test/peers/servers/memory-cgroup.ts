import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { mkdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '../../support/until.ts'

/** A control group of the kernel with little memory: a process in it that wants more is ended by the kernel. */
export class MemoryCgroup implements AsyncDisposable {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async create(limitBytes: number): Promise<MemoryCgroup> {
    const folder = folderOfThisProcess()
    if (folder === undefined) throw new Error('this process may make no control group')
    const group = join(folder, `palette-backup-${process.pid}`)
    await mkdir(group)
    await writeFile(join(group, 'memory.limit_in_bytes'), String(limitBytes))
    return new MemoryCgroup(group)
  }

  /** What the process already holds stays; what it wants from now on counts. */
  async add(pid: number): Promise<void> {
    await writeFile(join(this.#folder, 'cgroup.procs'), String(pid))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await until('the control group to be empty', 10_000, async () => {
      await rmdir(this.#folder)
      return true
    })
  }
}

/**
 * For `it.skipIf`: whether this process may make no control group for memory, said on standard error too. It may in
 * containers that run as root with version 1 of control groups writable; version 2 gives none below a group in use.
 */
export function cgroupsMissing(): boolean {
  const folder = folderOfThisProcess()
  if (folder !== undefined && canMakeBelow(folder)) return false
  process.stderr.write('Skipped, because no control group for memory can be made here\n')
  return true
}

function folderOfThisProcess(): string | undefined {
  try {
    const path = /^\d+:memory:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
    return path === undefined ? undefined : join('/sys/fs/cgroup/memory', path)
  } catch {
    return undefined
  }
}

function canMakeBelow(folder: string): boolean {
  const probe = join(folder, `palette-backup-probe-${process.pid}`)
  try {
    mkdirSync(probe)
    rmdirSync(probe)
    return true
  } catch {
    return false
  }
}
