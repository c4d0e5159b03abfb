import type { Config } from '../config/config.ts'
import type { Clock } from '../core/clock.ts'
import { Failure, failureData, sentenceOf, throwIfAborted, toFailure } from '../core/errors.ts'
import type { ValidateStep } from '../core/events.ts'
import type { KubernetesClient } from '../kubernetes/client.ts'
import { describeRef, SECRETS } from '../kubernetes/object.ts'
import type { Installation } from '../palette/installation.ts'
import type { Step } from '../sources/mongodb/try-reading.ts'
import { tryReading } from '../sources/mongodb/try-reading.ts'
import type { InstallationContext } from './open-installation.ts'
import { openInstallation } from './open-installation.ts'

/**
 * Looks for the installation as a backup does, connects to its MongoDB, reads from it, and reads the Secrets that a backup
 * must hold. Changes nothing, and tells no secret. Resolves with whether all went well; rejects only when it was aborted.
 */
export async function validateInstallation(
  config: Config,
  context: InstallationContext,
  onStep: (step: ValidateStep) => void,
): Promise<boolean> {
  const { clock, signal } = context
  let failed = false
  const step = stepOf(clock, (done) => {
    failed ||= !done.ok
    onStep(done)
  })
  const databases = [...new Set(config.policies.flatMap(({ includeDatabases }) => includeDatabases))]
  const wantsObjects = config.policies.some((policy) => policy.includeClusterResources !== 'never')
  try {
    using opened = await step(
      'find MongoDB',
      () => openInstallation(config, context),
      (found) => describe(found.installation),
    )
    const { client, installation } = opened
    const { mongodb } = installation
    // What the one lacks does not end the other.
    await tryReading({ mongodb, databases, clock }, step, { signal }).catch(() => undefined)
    if (client && wantsObjects && !signal.aborted) {
      await step(
        'read Secrets',
        () => readSecrets(client, config, signal),
        (names) => names.join(', ') || 'none is asked for',
      )
    }
  } catch {
    // The step has told.
  }
  throwIfAborted(signal, 'validating the installation')
  return !failed
}

function stepOf(clock: Clock, onStep: (step: ValidateStep) => void): Step {
  return async (name, task, tell) => {
    const startedMs = clock.monotonicMs()
    const timed = (): { name: string; durationMs: number } => ({ name, durationMs: clock.monotonicMs() - startedMs })
    try {
      const value = await task()
      onStep({ ...timed(), ok: true, detail: tell(value) })
      return value
    } catch (thrown) {
      onStep({ ...timed(), ok: false, failure: failureData(thrown) })
      throw thrown
    }
  }
}

/** What was found and where, and what was not. */
function describe({ facts, problems }: Installation): string {
  const found = facts.map(({ name, value, from }) => `${name} ${value} (${from})`)
  return [...found, ...problems.map((problem) => `warning: ${problem}`)].join('; ')
}

async function readSecrets(client: KubernetesClient, { palette }: Config, signal: AbortSignal): Promise<string[]> {
  const refs = palette.kubernetes.secrets.map((secret) => ({ resource: SECRETS, ...secret }))
  const failures: Failure[] = []
  for (const ref of refs) {
    await client.get(ref, { signal }).catch((thrown: unknown) => void failures.push(toFailure(thrown)))
  }
  const [first] = failures
  if (!first) return refs.map(describeRef)
  throw new Failure(`a backup would be partial: ${failures.map(sentenceOf).join('; ')}`, { code: first.code })
}
