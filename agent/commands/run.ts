import { readCatalog } from '../backup/catalog.ts'
import { lookAtNewest } from '../backup/look-at-newest.ts'
import { summaryOf, unfinishedRestores } from '../backup/unfinished-restore.ts'
import type { Config } from '../config/config.ts'
import { Failure, failureData, sentenceOf, toFailure } from '../core/errors.ts'
import type { Emit, RunKind, RunResult, ValidateStep } from '../core/events.ts'
import { SECOND_MS } from '../core/units.ts'
import type { Location } from '../locations/location.ts'
import { Traffic } from '../locations/traffic.ts'
import { validateLocation } from '../locations/validate.ts'
import type { RunRequest } from '../runs/request.ts'
import { decodeRequest } from '../runs/request.ts'
import { openLocations, reportUsage } from './compose.ts'
import type { CommandContext, ExitCode } from './context.ts'
import { executeBackup } from './execute-backup.ts'
import { installationFound, openInstallation } from './open-installation.ts'
import { exitCodeOf } from './outcome.ts'
import type { ProcessHooks } from './process-hooks.ts'
import { validateInstallation } from './validate-installation.ts'

/**
 * A run in a process of its own: takes one request as a line on standard input, tells what happens as JSON lines on
 * standard output, and gives everything back to the system by ending.
 */
export async function runCommand(context: CommandContext, hooks: ProcessHooks): Promise<ExitCode> {
  const emit: Emit = (event) => context.stdout.write(`${JSON.stringify(event)}\n`)
  const request = decodeRequest((await context.readLine()) ?? '')
  // The agent holds the other end open for as long as it lives: a run must not outlive it.
  hooks.onInputEnd(() => hooks.stop(new Failure('stopped because the agent ended', { code: 'cancelled' })))
  const ended = new AbortController()
  const traffic = new Traffic()
  void beat(request.runId, traffic, emit, context, ended.signal)
  try {
    return exitCodeOf(await perform(request, traffic, emit, context))
  } finally {
    ended.abort()
  }
}

const HEARTBEAT_MS = 10 * SECOND_MS

/** Says that the process lives and how much it has moved: the agent ends one that does neither. */
async function beat(
  runId: string,
  traffic: Traffic,
  emit: Emit,
  { clock }: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    emit({ type: 'run.heartbeat', runId, movedBytes: traffic.moved })
    await clock.sleep(HEARTBEAT_MS, { signal, unref: true }).catch(() => undefined)
  }
}

async function perform(request: RunRequest, traffic: Traffic, emit: Emit, context: CommandContext): Promise<RunResult> {
  switch (request.kind) {
    case 'backup':
      return (await executeBackup({ ...request, traffic, emit }, context)).result
    case 'catalog':
      return await timed(request, emit, context, () => readCatalogs(request, emit, context))
    case 'validate':
      return await timed(request, emit, context, () => validate(request, emit, context))
  }
}

async function timed(
  { runId, kind }: { readonly runId: string; readonly kind: RunKind },
  emit: Emit,
  { clock, signal }: CommandContext,
  task: () => Promise<RunResult>,
): Promise<RunResult> {
  const startedMs = clock.monotonicMs()
  emit({ type: 'run.started', runId, kind, at: clock.now().toISOString() })
  let result: RunResult
  let failure: unknown
  try {
    result = await task()
  } catch (thrown) {
    failure = thrown
    result = signal.aborted ? 'cancelled' : 'failed'
  }
  const ended = { at: clock.now().toISOString(), result, durationMs: clock.monotonicMs() - startedMs }
  emit({ type: 'run.finished', runId, kind, ...ended, ...(failure ? { failure: failureData(failure) } : {}) })
  return result
}

async function readCatalogs(
  { runId, config }: { readonly runId: string; readonly config: Config },
  emit: Emit,
  context: CommandContext,
): Promise<RunResult> {
  const { signal, clock } = context
  await tellInstallation(runId, config, emit, context)
  const used = config.locations.map(({ name }) => name)
  await using opened = await openLocations(config, used, { ...context, ...reportUsage(runId, emit) })
  let failures = opened.unusable.length
  for (const { name, failure } of opened.unusable) {
    emit({ type: 'catalog.failed', runId, location: name, failure: failureData(failure) })
  }
  const read = opened.usable.map(async (location) => {
    try {
      await tellRestores(location, runId, config, emit, signal)
      for (const { name: policy, backupLocations } of config.policies) {
        if (!backupLocations.includes(location.name)) continue
        const ref = { clusterName: config.palette.clusterName, policy }
        const listed = await readCatalog(location, ref, { signal })
        const { backups, facts, problems } = await lookAtNewest(location, ref, listed, { signal, now: clock.now() })
        for (const { message } of problems) emit({ type: 'run.warning', runId, message })
        emit({
          type: 'catalog.read',
          runId,
          policy,
          location: location.name,
          backups,
          ...(facts ? { newest: facts } : {}),
        })
      }
    } catch (thrown) {
      failures += 1
      const failure = failureData(toFailure(thrown, `reading the catalog of ${location.name}`))
      emit({ type: 'catalog.failed', runId, location: location.name, failure })
    }
  })
  await Promise.all(read)
  if (failures === 0) return 'success'
  return failures < used.length ? 'partial' : 'failed'
}

/** A record that cannot be read is told, and hides nothing of the catalog. */
async function tellRestores(
  location: Location,
  runId: string,
  { palette }: Config,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  try {
    const unfinished = await unfinishedRestores(location, palette.clusterName, { signal })
    emit({ type: 'restores.read', runId, location: location.name, unfinished: unfinished.map(summaryOf) })
  } catch (thrown) {
    const failure = toFailure(thrown)
    if (failure.code !== 'damaged') throw failure
    emit({ type: 'run.warning', runId, message: failure.message })
  }
}

/** What will be missing at night is to be known by day: the agent looks when it starts, and when the file has changed. */
async function tellInstallation(runId: string, config: Config, emit: Emit, context: CommandContext): Promise<void> {
  try {
    using opened = await openInstallation(config, context)
    emit(installationFound(runId, opened.installation))
  } catch (thrown) {
    const failure = toFailure(thrown, 'looking at the installation')
    if (failure.code === 'cancelled') throw failure
    emit({ type: 'installation.found', runId, facts: [], problems: [sentenceOf(failure)] })
  }
}

async function validate(
  request: Extract<RunRequest, { kind: 'validate' }>,
  emit: Emit,
  context: CommandContext,
): Promise<RunResult> {
  const { clock, signal } = context
  const { runId, config, location: name, permission } = request
  if (name === undefined) {
    const onStep = (step: ValidateStep): void => emit({ type: 'validate.step', runId, step })
    return (await validateInstallation(config, context, onStep)) ? 'success' : 'failed'
  }
  await using opened = await openLocations(config, [name], {
    ...context,
    ...reportUsage(runId, emit),
    patience: 'brief',
  })
  const [unusable] = opened.unusable
  if (unusable) {
    const step = { name: 'open', ok: false, durationMs: 0, failure: failureData(unusable.failure) }
    emit({ type: 'validate.step', runId, location: name, step })
    return 'failed'
  }
  const [location] = opened.usable
  if (!location) return 'failed'
  const { ok } = await validateLocation(location, {
    permission,
    signal,
    clock,
    prefix: `${config.palette.clusterName}/`,
    onStep: (step) => emit({ type: 'validate.step', runId, location: name, step }),
  })
  return ok ? 'success' : 'failed'
}
