import type { ErrorCode } from '../core/errors.ts'
import { toFailure } from '../core/errors.ts'
import type { Operation } from './around.ts'
import { around } from './around.ts'
import type { Location } from './location.ts'

/** What a location was asked for, every try of it, and what moved. */
export interface Usage {
  readonly operations: Readonly<Partial<Record<Operation, number>>>
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>
  readonly sentBytes: number
  readonly receivedBytes: number
}

export interface Meter {
  /** Everything since the last time this was asked. */
  take(): Usage
}

/** Counts beneath the retries: what failed and was then repeated with success is work and an error all the same. */
export function metered(location: Location): { readonly location: Location; readonly meter: Meter } {
  let operations: Partial<Record<Operation, number>> = {}
  let errors: Partial<Record<ErrorCode, number>> = {}
  let sentBytes = 0
  let receivedBytes = 0

  function failed(thrown: unknown): unknown {
    const { code } = toFailure(thrown)
    // Not an error of the location: nothing is there, or nobody waits any more.
    if (code !== 'cancelled' && code !== 'not_found') errors[code] = (errors[code] ?? 0) + 1
    return thrown
  }

  function began(operation: Operation): void {
    operations[operation] = (operations[operation] ?? 0) + 1
  }

  const counted = around(location, {
    async call(operation, _options, run) {
      began(operation)
      try {
        return await run()
      } catch (thrown) {
        throw failed(thrown)
      }
    },
    async *sending(body) {
      for await (const chunk of body) {
        sentBytes += chunk.length
        yield chunk
      }
    },
    async *receiving(body) {
      began('get')
      try {
        for await (const chunk of body) {
          receivedBytes += chunk.length
          yield chunk
        }
      } catch (thrown) {
        throw failed(thrown)
      }
    },
  })
  const take = (): Usage => {
    const usage = { operations, errors, sentBytes, receivedBytes }
    operations = {}
    errors = {}
    sentBytes = 0
    receivedBytes = 0
    return usage
  }
  return { location: counted, meter: { take } }
}
