import { randomBase32 } from '../backup/backup-id.ts'
import type { BackupOptions, BackupOutcome } from '../backup/backup-options.ts'
import { runBackup } from '../backup/run-backup.ts'
import type { Config, MongodbConfig, PolicyConfig } from '../config/config.ts'
import { failureData, toFailure } from '../core/errors.ts'
import type { Emit } from '../core/events.ts'
import type { Traffic } from '../locations/traffic.ts'
import type { Installation } from '../palette/installation.ts'
import { openLocations, reportUsage } from './compose.ts'
import { requirePolicy } from './configuration.ts'
import type { CommandContext } from './context.ts'
import { readIdentity } from './identity.ts'
import { installationFound, openInstallation } from './open-installation.ts'
import { openMongodb, openSources } from './open-sources.ts'
import { isDead, thisOwner } from './owner.ts'
import { type Attempt, repeatReading } from './repeat-reading.ts'

export interface BackupRequest {
  readonly config: Config
  readonly policy: string
  readonly runId?: string
  readonly emit: Emit
  /** Counts what is moved to and from the locations. */
  readonly traffic?: Traffic
}

export function createRunId(): string {
  return randomBase32(8)
}

/** One backup run from its first event to its last; what the `backup` command and the agent's run processes do. */
export async function executeBackup(request: BackupRequest, context: CommandContext): Promise<BackupOutcome> {
  const { emit, policy } = request
  const runId = request.runId ?? createRunId()
  const { clock } = context
  const startedMs = clock.monotonicMs()
  emit({ type: 'run.started', runId, kind: 'backup', policy, at: clock.now().toISOString() })
  const outcome = await attempt(request, runId, context)
  emit({
    type: 'run.finished',
    runId,
    kind: 'backup',
    policy,
    at: clock.now().toISOString(),
    result: outcome.result,
    durationMs: clock.monotonicMs() - startedMs,
    sourceBytes: outcome.sourceBytes,
    storedBytes: outcome.storedBytes,
    ...(outcome.failure ? { failure: failureData(outcome.failure) } : {}),
  })
  return outcome
}

async function attempt(request: BackupRequest, runId: string, context: CommandContext): Promise<BackupOutcome> {
  const { config, emit } = request
  const { clock, signal, toolVersion } = context
  try {
    const policy = requirePolicy(config, request.policy)
    await using locations = await openLocations(config, policy.backupLocations, {
      ...context,
      ...reportUsage(runId, emit),
    })
    using opened = await openInstallation(config, context)
    const { installation } = opened
    emit(installationFound(runId, installation))
    const proving = await provingOf(config, policy, installation.mongodb, context)
    const run = ({ withoutSnapshot, emit: emitOfAttempt }: Attempt): Promise<BackupOutcome> =>
      runBackup({
        runId,
        clusterName: config.palette.clusterName,
        policy,
        sources: openSources(config, policy, opened, {
          toolVersion,
          clock,
          ...(withoutSnapshot ? { withoutSnapshot } : {}),
        }),
        installation: describeInstallation(installation),
        ...(proving ? { proving } : {}),
        locations: locations.usable.map((location) => request.traffic?.count(location) ?? location),
        unusable: locations.unusable,
        owner: thisOwner(),
        isDead: (record) => record.run_id !== runId && isDead(record, clock),
        toolVersion,
        clock,
        emit: emitOfAttempt,
        signal,
      })
    return await repeatReading(run, { runId, emit, context })
  } catch (thrown) {
    const failure = toFailure(thrown, `backing up with policy ${request.policy}`)
    const result = signal.aborted ? 'cancelled' : 'failed'
    return { result, backupId: '', stored: [], failed: [], warnings: [], sourceBytes: 0, storedBytes: 0, failure }
  }
}

/** What a policy needs that wants its backups proven further than by comparison. */
async function provingOf(
  config: Config,
  policy: PolicyConfig,
  mongodb: MongodbConfig,
  context: CommandContext,
): Promise<BackupOptions['proving']> {
  if (policy.verifyAfterBackup === 'content') return undefined
  return { ...(await readIdentity({}, config, context)), target: openMongodb(policy, mongodb, context) }
}

/** As the manifest has it. */
function describeInstallation({
  namespace,
  edition,
  version,
  facts,
}: Installation): NonNullable<BackupOptions['installation']> {
  return {
    namespace,
    ...(edition === undefined ? {} : { edition }),
    ...(version === undefined ? {} : { palette_version: version }),
    found: [...facts],
  }
}
