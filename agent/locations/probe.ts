import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Failure } from '../core/errors.ts'
import { DAY_MS, formatBytes, formatDuration, SECOND_MS } from '../core/units.ts'
import type { Check } from './check.ts'
import { readWhole, wrong } from './check.ts'
import { LargeProbe, readLeftover } from './large-probe.ts'
import type { CallOptions, Location } from './location.ts'
import { PROBE_NAME, probesPrefix, replayable } from './location.ts'

// More than one chunk of any location, and little enough for the slowest line.
const PROBE_BYTES = 200_003
const OFFSET = 123_457
const STALE_MS = DAY_MS

export interface ProbeOptions {
  readonly clock: Clock
  /** Ends in `/`. */
  readonly prefix: string
}

/** Objects of its own: where they are, and everything that can be done with them, in an order that makes sense. */
export class Probe {
  readonly key: string
  readonly #location: Location
  readonly #folder: string
  readonly #clock: Clock
  readonly #startedMs: number
  readonly #large: LargeProbe
  #bytes = randomBytes(PROBE_BYTES)
  #isWritten = false

  constructor(location: Location, { clock, prefix }: ProbeOptions) {
    this.#location = location
    this.#folder = probesPrefix(prefix)
    this.#clock = clock
    this.#startedMs = clock.now().getTime()
    this.key = `${this.#folder}${this.#startedMs}-${randomBytes(6).toString('hex')}`
    this.#large = new LargeProbe(location, this.key, clock)
  }

  writingChecks(): Check[] {
    return [this.#write(), this.#delete(), ...this.#large.writingChecks()]
  }

  allChecks(): Check[] {
    return [
      this.#write(),
      this.#stat(),
      this.#list(),
      this.#read(),
      this.#readFromOffset(),
      this.#overwrite(),
      this.#delete(),
      this.#gone(),
      // Last: an account that may not delete must not be left with much.
      ...this.#large.allChecks(),
    ]
  }

  /** Removes whatever of it is there. */
  async remove(call: CallOptions): Promise<void> {
    await this.#large.remove(call)
    await this.#location.delete(this.key, call)
  }

  #write(): Check {
    return {
      name: 'write',
      needs: 'write',
      run: async (call) => {
        await this.#put(call)
        this.#isWritten = true
        return `${formatBytes(PROBE_BYTES)} to ${this.key}`
      },
    }
  }

  /** The time that the server gives the object is that of its clock. */
  #stat(): Check {
    return {
      name: 'look up',
      needs: 'read',
      after: 'write',
      run: async (call) => {
        const entry = await this.#location.stat(this.key, call)
        if (!entry) throw this.#wrong('was written, but is not there')
        this.#compareSize(entry.sizeBytes)
        return entry.modified && this.#compareClocks(entry.modified.getTime())
      },
    }
  }

  /** Removes what earlier validations could not, because they were killed. */
  #list(): Check {
    return {
      name: 'list',
      needs: 'list',
      run: async (call) => {
        const entries = await this.#location.list(this.#folder, call)
        const entry = entries.find(({ key }) => key === this.key)
        if (this.#isWritten && !entry) throw this.#wrong('was written, but is not listed')
        if (entry) this.#compareSize(entry.sizeBytes)
        const stale = entries.map(({ key }) => key).filter((key) => this.#isStale(key))
        for (const key of stale) await this.#removeStale(key, call)
        return stale.length === 0 ? undefined : `${stale.length} left by earlier validations removed`
      },
    }
  }

  #read(): Check {
    return {
      name: 'read',
      needs: 'read',
      after: 'write',
      run: async (call) => {
        await this.#compare(0, call)
        return undefined
      },
    }
  }

  #readFromOffset(): Check {
    return {
      name: 'read from an offset',
      needs: 'read',
      after: 'read',
      run: async (call) => {
        await this.#compare(OFFSET, call)
        return undefined
      },
    }
  }

  #overwrite(): Check {
    return {
      name: 'overwrite',
      needs: 'overwrite',
      after: 'read',
      run: async (call) => {
        this.#bytes = randomBytes(PROBE_BYTES - 1)
        await this.#put(call)
        await this.#compare(0, call)
        return undefined
      },
    }
  }

  #delete(): Check {
    return {
      name: 'delete',
      needs: 'delete',
      run: async (call) => {
        await this.#location.delete(this.key, call)
        return undefined
      },
    }
  }

  #gone(): Check {
    return {
      name: 'verify that it is gone',
      needs: 'list',
      after: 'delete',
      run: async (call) => {
        const entries = await this.#location.list(this.#folder, call)
        if (entries.some(({ key }) => key === this.key)) throw this.#wrong('was deleted, but is still listed')
        if (await this.#location.stat(this.key, call)) throw this.#wrong('was deleted, but is still there')
        return undefined
      },
    }
  }

  async #put(call: CallOptions): Promise<void> {
    const { sizeBytes } = await this.#location.put(this.key, replayable(this.#bytes), call)
    this.#compareSize(sizeBytes)
  }

  #compareSize(sizeBytes: number): void {
    if (sizeBytes === this.#bytes.length) return
    throw this.#wrong(`was written with ${this.#bytes.length} bytes, but has ${sizeBytes}`)
  }

  /** It was written between the start and now; servers that cut seconds off are not behind for that. */
  #compareClocks(modifiedMs: number): string {
    const aheadMs = modifiedMs - this.#clock.now().getTime()
    const behindMs = this.#startedMs - SECOND_MS - modifiedMs
    if (aheadMs > SECOND_MS) return `its clock is ${formatDuration(aheadMs)} ahead of ours`
    if (behindMs > SECOND_MS) return `its clock is ${formatDuration(behindMs)} behind ours`
    return 'its clock agrees with ours'
  }

  async #compare(offset: number, call: CallOptions): Promise<void> {
    const found = await readWhole(this.#location, this.key, { ...call, offset })
    if (this.#bytes.subarray(offset).equals(found)) return
    throw this.#wrong(`came back changed: ${found.length} bytes from byte ${offset} on`)
  }

  #isStale(key: string): boolean {
    const writtenMs = Number(PROBE_NAME.exec(key.slice(this.#folder.length))?.[1])
    return this.#startedMs - writtenMs > STALE_MS
  }

  async #removeStale(key: string, call: CallOptions): Promise<void> {
    const leftover = key.endsWith('.leftover') ? await readLeftover(this.#location, key, call) : undefined
    if (leftover) await this.#location.discard(leftover, call)
    await this.#location.delete(key, call)
  }

  #wrong(what: string): Failure {
    return wrong(this.#location, this.key, what)
  }
}
