import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { recycle } from '../core/buffer-pool.ts'
import type { Clock } from '../core/clock.ts'
import { Failure } from '../core/errors.ts'
import { formatBytes, MIB, SECOND_MS } from '../core/units.ts'
import type { Check } from './check.ts'
import { readWhole, wrong } from './check.ts'
import type { CallOptions, Leftover, Location } from './location.ts'
import { replayable } from './location.ts'

/** More than S3 is sent in one request. */
const LARGE_BYTES = 9 * MIB
/** The body ends early on a slow line, which must not take minutes to be found usable. */
const SENDING_MS = 20 * SECOND_MS
const PIECE = randomBytes(MIB)

const LeftoverRecord = z.object({ key: z.string(), handle: z.string() })

/** The upload of an artifact in small: in parts where the location has them, its size unknown until it ends. */
export class LargeProbe {
  readonly #location: Location
  readonly #key: string
  readonly #record: string
  readonly #clock: Clock
  readonly #leftovers: Leftover[] = []
  #written: { readonly bytes: number; readonly sha256: string } | undefined

  constructor(location: Location, key: string, clock: Clock) {
    this.#location = location
    this.#key = `${key}.large`
    this.#record = `${key}.leftover`
    this.#clock = clock
  }

  writingChecks(): Check[] {
    return [this.#write(), this.#discard(), this.#delete()]
  }

  allChecks(): Check[] {
    return [this.#write(), this.#read(), this.#discard(), this.#delete()]
  }

  async remove(call: CallOptions): Promise<void> {
    for (const leftover of this.#leftovers) await this.#location.discard(leftover, call)
    await this.#location.delete(this.#key, call)
    await this.#location.delete(this.#record, call)
  }

  #write(): Check {
    return {
      name: 'write a large object',
      needs: 'write',
      after: 'delete',
      run: async (call) => {
        const startedMs = this.#clock.monotonicMs()
        const sent = await this.#put(this.#body(startedMs + SENDING_MS), call)
        const early = sent < LARGE_BYTES ? ', cut short because the line is slow' : ''
        return `${formatBytes(sent)} at ${this.#rate(sent, startedMs)}${early}`
      },
    }
  }

  #read(): Check {
    return {
      name: 'read the large object',
      needs: 'read',
      after: 'write a large object',
      run: async (call) => {
        const startedMs = this.#clock.monotonicMs()
        const found = { bytes: 0, hash: createHash('sha256') }
        for await (const chunk of this.#location.get(this.#key, call)) {
          found.bytes += chunk.length
          found.hash.update(chunk)
          recycle(chunk)
        }
        const { bytes } = found
        if (found.hash.digest('hex') !== this.#written?.sha256) {
          throw wrong(this.#location, this.#key, `came back changed: ${bytes} of ${this.#written?.bytes} bytes`)
        }
        return `${formatBytes(bytes)} at ${this.#rate(bytes, startedMs)}`
      },
    }
  }

  /** An upload that fails half-way, as the next run would clean it up. */
  #discard(): Check {
    return {
      name: 'discard an unfinished upload',
      needs: 'delete',
      after: 'write a large object',
      run: async (call) => {
        const before = this.#leftovers.length
        const broken = new Failure('the body ends here on purpose', { code: 'internal' })
        try {
          await this.#put(this.#brokenBody(broken), call)
        } catch (thrown) {
          if (!(thrown instanceof Failure && thrown.message.includes(broken.message))) throw thrown
        }
        for (const leftover of this.#leftovers) await this.#location.discard(leftover, { ...call, seen: true })
        return this.#leftovers.length === before ? 'nothing needs to be discarded there' : undefined
      },
    }
  }

  #delete(): Check {
    return {
      name: 'delete the large object',
      needs: 'delete',
      after: 'write a large object',
      run: async (call) => {
        await this.remove(call)
        return undefined
      },
    }
  }

  async #put(body: AsyncIterable<Uint8Array>, call: CallOptions): Promise<number> {
    const hash = createHash('sha256')
    let sent = 0
    async function* hashed(): AsyncGenerator<Uint8Array> {
      for await (const chunk of body) {
        sent += chunk.length
        hash.update(chunk)
        yield chunk
      }
    }
    const onLeftover = (leftover: Leftover): Promise<void> => this.#remember(leftover, call)
    const { sizeBytes } = await this.#location.put(this.#key, hashed(), { ...call, onLeftover })
    if (sizeBytes !== sent) {
      throw wrong(this.#location, this.#key, `was written with ${sent} bytes, but has ${sizeBytes}`)
    }
    this.#written = { bytes: sent, sha256: hash.digest('hex') }
    return sent
  }

  /** On record before the first part goes out: a later validation can then clean up after a kill. */
  async #remember(leftover: Leftover, call: CallOptions): Promise<void> {
    this.#leftovers.push(leftover)
    await this.#location.put(this.#record, replayable(Buffer.from(JSON.stringify(leftover))), call)
  }

  async *#body(untilMs: number): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < LARGE_BYTES && this.#clock.monotonicMs() < untilMs; sent += PIECE.length) yield PIECE
  }

  async *#brokenBody(broken: Failure): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < (this.#written?.bytes ?? 0); sent += PIECE.length) yield PIECE
    throw broken
  }

  #rate(bytes: number, startedMs: number): string {
    const seconds = Math.max(0.001, (this.#clock.monotonicMs() - startedMs) / SECOND_MS)
    return `${formatBytes(Math.round(bytes / seconds))}/s`
  }
}

/** What an earlier validation put on record; undefined when it is nothing that one would have written. */
export async function readLeftover(location: Location, key: string, call: CallOptions): Promise<Leftover | undefined> {
  const text = (await readWhole(location, key, call)).toString('utf8')
  try {
    const { data } = LeftoverRecord.safeParse(JSON.parse(text))
    return data?.key === `${key.slice(0, -'.leftover'.length)}.large` ? data : undefined
  } catch {
    return undefined
  }
}
