import { expect } from 'vitest'
import type { Failure } from '../../../agent/core/errors.ts'
import type { CallOptions, Location } from '../../../agent/locations/location.ts'
import { collect, errorOf, streamOf } from '../../support/streams.ts'

export interface LocationUnderTest {
  readonly location: Location
  readonly cleanUp: () => Promise<void>
  /** Everything the server keeps that `list` does not show: temporary files, unfinished uploads. */
  readonly hidden?: () => Promise<readonly string[]>
}

export interface ConformanceOptions {
  /** Objects in the long listing; fewer where a server takes long for each. */
  readonly manyKeys?: number
  /** Larger than what the location sends in one piece. */
  readonly largeBytes?: number
  /** Names this server is known to refuse, each with the reason. */
  readonly refusedNames?: Readonly<Record<string, string>>
}

/** The location that is attacked, from its start to its end, and what the cases ask of it again and again. */
export class Subject {
  #made: LocationUnderTest | undefined

  get location(): Location {
    if (!this.#made) throw new Error('the location was not made')
    return this.#made.location
  }

  async start(make: () => Promise<LocationUnderTest>): Promise<void> {
    this.#made = await make()
  }

  async stop(): Promise<void> {
    await this.#made?.location.close()
    await this.#made?.cleanUp()
  }

  readonly live = (): CallOptions => ({ signal: new AbortController().signal })

  readonly read = (key: string, offset = 0): Promise<Buffer> =>
    collect(this.location.get(key, { ...this.live(), offset }))

  readonly put = (key: string, bytes: Uint8Array): Promise<{ sizeBytes: number }> =>
    this.location.put(key, streamOf(bytes), this.live())

  readonly keys = async (prefix: string): Promise<string[]> =>
    (await this.location.list(prefix, this.live())).map(({ key }) => key)

  readonly failureOf = async (promise: Promise<unknown>): Promise<Failure | undefined> =>
    (await errorOf(promise)) as Failure | undefined

  readonly nothingLeft = async (key: string): Promise<void> => {
    expect(await this.location.stat(key, this.live())).toBeUndefined()
    expect((await this.#made?.hidden?.()) ?? []).toEqual([])
  }
}
