import type { Clock } from '../core/clock.ts'
import { withTimeout } from '../core/clock.ts'
import type { FailureData } from '../core/errors.ts'
import { Failure, failureData, throwIfAborted, toFailure } from '../core/errors.ts'
import type { ValidateStep } from '../core/events.ts'
import { formatDuration, MINUTE_MS, SECOND_MS } from '../core/units.ts'
import type { Check } from './check.ts'
import { readingChecks } from './check.ts'
import type { Location } from './location.ts'
import { Probe } from './probe.ts'

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
  /** In order; behind them `clean up` where something was left that could not be removed. */
  readonly steps: readonly ValidateStep[]
}

const STEP_MS = 2 * MINUTE_MS
const WHOLE_MS = 5 * MINUTE_MS
const CLEAN_UP_MS = 30 * SECOND_MS

/**
 * Uses a location for real, with objects of its own that are gone afterwards, whatever happens. A right that lacks does
 * not end it: what else lacks is worth knowing at once. Resolves with what succeeded and what did not, within minutes;
 * rejects only when it was aborted.
 */
export async function validateLocation(location: Location, options: ValidateOptions): Promise<ValidateResult> {
  const { permission, signal, clock, prefix } = options
  const steps: ValidateStep[] = []
  const tell = (step: ValidateStep): void => {
    steps.push(step)
    options.onStep?.(step)
  }
  const probe = new Probe(location, { clock, prefix })
  const endMs = clock.monotonicMs() + WHOLE_MS
  const checks = checksFor(permission, probe, location, prefix)
  for (const check of checks) {
    if (check.after !== undefined && !steps.some(({ name, ok }) => name === check.after && ok)) continue
    const step = await perform(check, Math.min(STEP_MS, endMs - clock.monotonicMs()), options)
    tell(step)
    if (!step.ok && step.failure?.code !== 'permission') break
  }
  const ok = steps.every((step) => step.ok)
  if (permission !== 'read' && !ok) {
    const left = await cleanUp(location, probe, clock)
    // Where the first write was refused there is most likely nothing, and why removing it is refused too helps nobody.
    if (left && steps[0]?.ok) tell(left)
  }
  throwIfAborted(signal, `validating ${location.name}`)
  const facts = location.facts?.() ?? []
  if (ok && facts.length > 0) tell({ name: 'about the server', ok: true, durationMs: 0, detail: facts.join('; ') })
  return { ok, steps }
}

function checksFor(permission: Permission, probe: Probe, location: Location, prefix: string): readonly Check[] {
  if (permission === 'read') return readingChecks(location, prefix)
  return permission === 'write' ? probe.writingChecks() : probe.allChecks()
}

async function perform(check: Check, limitMs: number, options: ValidateOptions): Promise<ValidateStep> {
  const { clock, prefix, signal } = options
  const startedMs = clock.monotonicMs()
  const step = (outcome: Partial<ValidateStep>): ValidateStep => ({
    name: check.name,
    ok: true,
    durationMs: clock.monotonicMs() - startedMs,
    ...outcome,
  })
  const late = (): Failure =>
    new Failure(`${check.name}: not done within ${formatDuration(limitMs)}`, { code: 'unreachable' })
  try {
    signal.throwIfAborted()
    if (limitMs <= 0) throw new Failure(`${check.name}: the time is up`, { code: 'unreachable' })
    const detail = await withTimeout(clock, limitMs, signal, late, (limited) =>
      endedBy(limited, check.run({ signal: limited })),
    )
    return step(detail === undefined ? {} : { detail })
  } catch (thrown) {
    return step({ ok: false, failure: explain(thrown, check, prefix) })
  }
}

/** Whatever a location does with the abort: nobody waits for it any longer. */
function endedBy<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    // Its own failure, if it has one to tell, comes first.
    const abort = (): void => void setImmediate(() => setImmediate(reject, signal.reason))
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** A location knows best what its account lacks; where it has no advice, the step itself says which right it takes. */
function explain(thrown: unknown, { name, needs }: Check, prefix: string): FailureData {
  const failure = failureData(toFailure(thrown, name))
  if (failure.code !== 'permission' || failure.hint !== undefined) return failure
  return { ...failure, hint: `The account needs permission to ${needs} below ${prefix}.` }
}

/** Undefined when nothing is left. Works after an abort too, and ends in any case. */
async function cleanUp(location: Location, probe: Probe, clock: Clock): Promise<ValidateStep | undefined> {
  const startedMs = clock.monotonicMs()
  const doing = `removing ${probe.key} in ${location.name}`
  const late = (): Failure => new Failure(`${doing}: no answer`, { code: 'unreachable' })
  const { signal } = new AbortController()
  try {
    await withTimeout(clock, CLEAN_UP_MS, signal, late, (limited) =>
      endedBy(limited, probe.remove({ signal: limited })),
    )
    return undefined
  } catch (thrown) {
    const { code, message } = toFailure(thrown, doing)
    const failure = {
      code,
      message,
      hint: `What this validation wrote may still be there: remove ${probe.key}* by hand.`,
    }
    return { name: 'clean up', ok: false, durationMs: clock.monotonicMs() - startedMs, failure }
  }
}
