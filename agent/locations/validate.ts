import type { Clock } from '../core/clock.ts'
import { withTimeout } from '../core/clock.ts'
import type { FailureData } from '../core/errors.ts'
import { Failure, failureData, throwIfAborted, toFailure } from '../core/errors.ts'
import type { ValidateStep } from '../core/events.ts'
import { SECOND_MS } from '../core/units.ts'
import type { Location } from './location.ts'
import type { Check } from './probe.ts'
import { Probe, readingChecks } from './probe.ts'

/** What the location is to be used for: `read` lists and reads only, `write` writes and removes, `readwrite` is all. */
export type Permission = 'read' | 'write' | 'readwrite'

export interface ValidateOptions {
  readonly permission: Permission
  readonly signal: AbortSignal
  readonly clock: Clock
  /** The folder that backups go to, ending in `/`: nothing outside it is touched. */
  readonly prefix: string
  /** Told each step as soon as it has ended. */
  readonly onStep?: (step: ValidateStep) => void
}

export interface ValidateResult {
  readonly ok: boolean
  /** In order, up to the first that failed; behind it `clean up` where that failed too. */
  readonly steps: readonly ValidateStep[]
}

const CLEAN_UP_MS = 30 * SECOND_MS

/**
 * Uses a location for real, with an object of its own that is gone afterwards, whatever happens. Resolves with what
 * succeeded and what did not; rejects only when it was aborted.
 */
export async function validateLocation(location: Location, options: ValidateOptions): Promise<ValidateResult> {
  const { permission, signal, clock, prefix, onStep } = options
  const steps: ValidateStep[] = []
  const tell = (step: ValidateStep): void => {
    steps.push(step)
    onStep?.(step)
  }
  const probe = new Probe(location, prefix, clock.now(), { signal })
  for (const check of checksFor(permission, probe, location, options)) {
    const step = await perform(check, options)
    tell(step)
    if (step.ok) continue
    const left = permission === 'read' ? undefined : await cleanUp(location, probe.key, clock)
    // Where the write was refused there is most likely nothing, and why removing it is refused too helps nobody.
    if (left && check.name !== 'write') tell(left)
    throwIfAborted(signal, `validating ${location.name}`)
    return { ok: false, steps }
  }
  return { ok: true, steps }
}

function checksFor(
  permission: Permission,
  probe: Probe,
  location: Location,
  { prefix, signal }: ValidateOptions,
): readonly Check[] {
  if (permission === 'read') return readingChecks(location, prefix, { signal })
  return permission === 'write' ? probe.writingChecks() : probe.allChecks()
}

async function perform(check: Check, { clock, prefix, signal }: ValidateOptions): Promise<ValidateStep> {
  const startedMs = clock.monotonicMs()
  const step = (outcome: Partial<ValidateStep>): ValidateStep => ({
    name: check.name,
    ok: true,
    durationMs: clock.monotonicMs() - startedMs,
    ...outcome,
  })
  try {
    signal.throwIfAborted()
    const detail = await check.run()
    return step(detail === undefined ? {} : { detail })
  } catch (thrown) {
    return step({ ok: false, failure: explain(thrown, check, prefix) })
  }
}

/** A location knows best what its account lacks; where it has no advice, the step itself says which right it takes. */
function explain(thrown: unknown, { needs }: Check, prefix: string): FailureData {
  const failure = failureData(thrown)
  if (failure.code !== 'permission' || failure.hint !== undefined) return failure
  return { ...failure, hint: `The account needs permission to ${needs} below ${prefix}.` }
}

/** Undefined when nothing is left. Works after an abort too, and ends in any case. */
async function cleanUp(location: Location, key: string, clock: Clock): Promise<ValidateStep | undefined> {
  const startedMs = clock.monotonicMs()
  const late = (): Failure => new Failure(`deleting ${key} in ${location.name}: no answer`, { code: 'unreachable' })
  const { signal } = new AbortController()
  try {
    await withTimeout(clock, CLEAN_UP_MS, signal, late, (limited) => location.delete(key, { signal: limited }))
    return undefined
  } catch (thrown) {
    const { code, message } = toFailure(thrown, `deleting ${key} in ${location.name}`)
    const failure = { code, message, hint: `What this validation wrote may still be there: remove ${key} by hand.` }
    return { name: 'clean up', ok: false, durationMs: clock.monotonicMs() - startedMs, failure }
  }
}
