import { randomBytes } from 'node:crypto'
import { Failure } from '../core/errors.ts'
import { DAY_MS, formatBytes } from '../core/units.ts'
import type { CallOptions, Location } from './location.ts'
import { replayable } from './location.ts'

/** One thing that a location is asked to do. */
export interface Check {
  readonly name: string
  /** The right it needs, as in "permission to ...". */
  readonly needs: string
  /** Resolves with what there is to tell about it. */
  readonly run: () => Promise<string | undefined>
}

// More than one chunk of any location, and little enough for the slowest line.
const PROBE_BYTES = 200_003
const OFFSET = 123_457
const STALE_MS = DAY_MS
const MANIFEST = '.manifest.json'

/** Lists, and reads the newest manifest where there is one. */
export function readingChecks(location: Location, prefix: string, call: CallOptions): Check[] {
  let newest: { readonly key: string; readonly sizeBytes: number } | undefined
  return [
    {
      name: 'list',
      needs: 'list',
      run: async () => {
        const entries = await location.list(prefix, call)
        // A backup's name begins with its time.
        const nameOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1)
        for (const entry of entries.filter(({ key }) => key.endsWith(MANIFEST))) {
          if (!newest || nameOf(entry.key) > nameOf(newest.key)) newest = entry
        }
        return entries.length === 0 ? `nothing is below ${prefix} yet` : `${entries.length} objects below ${prefix}`
      },
    },
    {
      name: 'read',
      needs: 'read',
      run: async () => {
        if (!newest) return 'there is no manifest to read yet'
        const { length } = await read(location, newest.key, call)
        if (length !== newest.sizeBytes) {
          throw wrong(location, newest.key, `was listed with ${newest.sizeBytes} bytes, but ${length} came back`)
        }
        return newest.key
      },
    },
  ]
}

/** An object of its own: where it is, and everything that can be done with it, in an order that makes sense. */
export class Probe {
  readonly key: string
  readonly #location: Location
  readonly #folder: string
  readonly #now: Date
  readonly #call: CallOptions
  #bytes = randomBytes(PROBE_BYTES)

  constructor(location: Location, prefix: string, now: Date, call: CallOptions) {
    this.#location = location
    this.#folder = `${prefix}.validate/`
    this.#now = now
    this.#call = call
    this.key = `${this.#folder}${now.getTime()}-${randomBytes(6).toString('hex')}`
  }

  writingChecks(): Check[] {
    return [this.#write(), this.#delete()]
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
    ]
  }

  #write(): Check {
    return {
      name: 'write',
      needs: 'write',
      run: async () => {
        await this.#put()
        return `${formatBytes(PROBE_BYTES)} to ${this.key}`
      },
    }
  }

  #stat(): Check {
    return {
      name: 'look up',
      needs: 'read',
      run: async () => {
        const entry = await this.#location.stat(this.key, this.#call)
        if (!entry) throw this.#wrong('was written, but is not there')
        this.#compareSize(entry.sizeBytes)
        return undefined
      },
    }
  }

  /** Removes what earlier validations could not, because they were killed. */
  #list(): Check {
    return {
      name: 'list',
      needs: 'list',
      run: async () => {
        const entries = await this.#location.list(this.#folder, this.#call)
        const entry = entries.find(({ key }) => key === this.key)
        if (!entry) throw this.#wrong('was written, but is not listed')
        this.#compareSize(entry.sizeBytes)
        const stale = entries.filter(({ key }) => this.#isStale(key))
        for (const { key } of stale) await this.#location.delete(key, this.#call)
        return stale.length === 0 ? undefined : `${stale.length} left by earlier validations removed`
      },
    }
  }

  #read(): Check {
    return {
      name: 'read',
      needs: 'read',
      run: async () => {
        await this.#compare(0)
        return undefined
      },
    }
  }

  #readFromOffset(): Check {
    return {
      name: 'read from an offset',
      needs: 'read',
      run: async () => {
        await this.#compare(OFFSET)
        return undefined
      },
    }
  }

  #overwrite(): Check {
    return {
      name: 'overwrite',
      needs: 'overwrite',
      run: async () => {
        this.#bytes = randomBytes(PROBE_BYTES - 1)
        await this.#put()
        await this.#compare(0)
        return undefined
      },
    }
  }

  #delete(): Check {
    return {
      name: 'delete',
      needs: 'delete',
      run: async () => {
        await this.#location.delete(this.key, this.#call)
        return undefined
      },
    }
  }

  #gone(): Check {
    return {
      name: 'verify that it is gone',
      needs: 'list',
      run: async () => {
        const entries = await this.#location.list(this.#folder, this.#call)
        if (entries.some(({ key }) => key === this.key)) throw this.#wrong('was deleted, but is still listed')
        if (await this.#location.stat(this.key, this.#call)) throw this.#wrong('was deleted, but is still there')
        return undefined
      },
    }
  }

  async #put(): Promise<void> {
    const { sizeBytes } = await this.#location.put(this.key, replayable(this.#bytes), this.#call)
    this.#compareSize(sizeBytes)
  }

  #compareSize(sizeBytes: number): void {
    if (sizeBytes === this.#bytes.length) return
    throw this.#wrong(`was written with ${this.#bytes.length} bytes, but has ${sizeBytes}`)
  }

  async #compare(offset: number): Promise<void> {
    const found = await read(this.#location, this.key, { ...this.#call, offset })
    if (this.#bytes.subarray(offset).equals(found)) return
    throw this.#wrong(`came back changed: ${found.length} bytes from byte ${offset} on`)
  }

  #isStale(key: string): boolean {
    const writtenMs = Number(/^(\d{13})-[0-9a-f]{12}$/.exec(key.slice(this.#folder.length))?.[1])
    return this.#now.getTime() - writtenMs > STALE_MS
  }

  #wrong(what: string): Failure {
    return wrong(this.#location, this.key, what)
  }
}

async function read(
  location: Location,
  key: string,
  options: CallOptions & { readonly offset?: number },
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of location.get(key, options)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

function wrong({ name }: Location, key: string, what: string): Failure {
  return new Failure(`${key} in ${name} ${what}`, { code: 'damaged' })
}
