import { Failure, failureData, toFailure } from '../core/errors.ts'
import type { RunResult } from '../core/events.ts'
import type { Receipts, Source, SourceArtifact, SourceFacts } from '../sources/source.ts'
import { createBackupId } from './backup-id.ts'
import type { BackupOptions, BackupOutcome } from './backup-options.ts'
import { isWhole } from './describe-artifact.ts'
import { refuseHalfRestored } from './half-restored.ts'
import type { ManifestArtifact } from './manifest-artifact.ts'
import { keepProofs, proveStored } from './prove-stored.ts'
import { prune } from './prune.ts'
import { storeArtifact } from './store-artifact.ts'
import { StoreSession } from './store-session.ts'

/**
 * One backup of one policy: read once, stored in every location, read back from each and compared, and only then made
 * to exist by its manifest. A location that fails is left out and hides nothing of the others.
 */
export async function runBackup(options: BackupOptions): Promise<BackupOutcome> {
  const { clock, emit, runId } = options
  const startedAt = new Date(options.takenAt ?? clock.now())
  // The backup id tells the time to the second, and who learns it from a listing must learn the same time.
  startedAt.setUTCMilliseconds(0)
  const backupId = createBackupId(startedAt)
  const sessions = options.locations.map((location) => new StoreSession(location, backupId, startedAt, options))
  const warnings: string[] = []
  const artifacts: ManifestArtifact[] = []
  let failure: Failure | undefined
  let whole = false
  const warn = (message: string): void => {
    warnings.push(message)
    emit({ type: 'run.warning', runId, message })
  }
  for (const { name, failure: why } of options.unusable ?? []) reportUnusable(name, why, options)
  try {
    emit({ type: 'run.stage', runId, stage: 'prepare' })
    await Promise.all(sessions.map((session) => session.prepare(warn)))
    const alive = (): StoreSession[] => sessions.filter((session) => !session.failed)
    if (alive().length === 0) throw nowhere(sessions, options)
    await checkTarget(alive(), options, warn)
    if (storesSecretsInClear(options)) warn(SECRETS_IN_CLEAR)
    emit({ type: 'run.stage', runId, stage: 'read' })
    const missing = await readSources(options, receiptsIn(alive()), async (artifact) => {
      artifacts.push(await storeArtifact(artifact, alive(), options))
      for (const message of artifact.warnings()) warn(message)
      tellConsistency(artifact.facts(), options)
      if (alive().length === 0) throw nowhere(sessions, options)
    })
    for (const { message } of missing) warn(message)
    whole = missing.length === 0 && artifacts.every(isWhole)
    emit({ type: 'run.stage', runId, stage: 'verify' })
    const level = await proveStored(alive, artifacts, { backupId, startedAt }, options, warn)
    // A restore may have begun meanwhile.
    await checkTarget(alive(), options, warn)
    emit({ type: 'run.stage', runId, stage: 'commit' })
    await Promise.all(alive().map((session) => session.commit({ artifacts, warnings, whole })))
    if (alive().length === 0) throw nowhere(sessions, options)
    await keepProofs(alive(), level, { backupId, startedAt }, options, warn)
    emit({ type: 'run.stage', runId, stage: 'retention' })
    // Only where a complete backup has just been stored: nothing goes before something better is there.
    // What is imported may be older than all of them.
    const renewed = options.purpose === 'import' ? [] : alive().filter((session) => session.complete)
    await Promise.all(renewed.map((session) => applyRetention(session, options, warn)))
  } catch (thrown) {
    failure = toFailure(thrown, `backing up with policy ${options.policy.name}`)
    for (const session of sessions) session.fail('source', failure)
  }
  await Promise.all(sessions.map((session) => session.end()))
  return outcomeOf(options, sessions, { backupId, warnings, artifacts, failure, whole })
}

const SECRETS_IN_CLEAR =
  'the Secrets of Palette are stored unencrypted: set encryption with age_recipients, or allow_cleartext: true'

function storesSecretsInClear({ policy, sources }: BackupOptions): boolean {
  return !policy.encryption && !policy.allowCleartext && sources.some(({ name }) => name === 'kubernetes')
}

async function checkTarget(
  sessions: readonly StoreSession[],
  { sources, purpose, clusterName, signal }: BackupOptions,
  warn: (message: string) => void,
): Promise<void> {
  const target = sources[0]?.target
  if (target === undefined || purpose === 'safety') return
  const locations = sessions.map(({ location }) => location)
  await refuseHalfRestored(locations, { clusterName, target, warn, signal })
}

/** Gives why those that may be missing are. */
async function readSources(
  options: BackupOptions,
  receipts: Receipts,
  store: (artifact: SourceArtifact) => Promise<void>,
): Promise<readonly Failure[]> {
  const missing: Failure[] = []
  for (const [index, source] of options.sources.entries()) {
    try {
      for await (const artifact of source.read({ ...progressTo(options), receipts })) await store(artifact)
    } catch (thrown) {
      if (index === 0 || options.signal.aborted) throw thrown
      missing.push(toFailure(thrown, `reading ${source.name}`))
    }
  }
  return missing
}

function progressTo({ emit, runId, signal, clock }: BackupOptions): Parameters<Source['read']>[0] {
  let lastMs = Number.NEGATIVE_INFINITY
  return {
    signal,
    onProgress(progress) {
      const now = clock.monotonicMs()
      if (now - lastMs < 250) return
      lastMs = now
      emit({ type: 'run.progress', runId, ...progress })
    },
  }
}

function tellConsistency(facts: SourceFacts, { emit, runId, policy }: BackupOptions): void {
  if (facts.source !== 'mongodb') return
  const { consistency, member } = facts
  const { level, reason } = consistency
  emit({
    ...{ type: 'source.read', runId, policy: policy.name, source: facts.source, consistency: level },
    ...(reason === undefined ? {} : { reason }),
    ...(member ? { member: `${member.role} ${member.host}` } : {}),
  })
}

/** Remembered in every location that can; one is enough for another run to find it. */
function receiptsIn(sessions: readonly StoreSession[]): Receipts {
  return {
    async add(receipt) {
      await Promise.any(sessions.map((session) => session.addReceipt(receipt)))
    },
    async remove(receipt) {
      await Promise.allSettled(sessions.map((session) => session.removeReceipt(receipt)))
    },
  }
}

function nowhere(sessions: readonly StoreSession[], { unusable = [] }: BackupOptions): Failure {
  const first = sessions.find((session) => session.failed)?.failed?.failure ?? unusable[0]?.failure
  return new Failure(`no location could take the backup${first ? `: ${first.message}` : ''}`, {
    code: first?.code ?? 'internal',
    ...(first?.hint === undefined ? {} : { hint: first.hint }),
    cause: first,
  })
}

function reportUnusable(location: string, failure: Failure, { emit, runId, policy }: BackupOptions): void {
  emit({ type: 'location.failed', runId, policy: policy.name, location, stage: 'open', failure: failureData(failure) })
}

/** Retention that fails is told, but the backup that was just made is good all the same. */
async function applyRetention(
  session: StoreSession,
  options: BackupOptions,
  warn: (message: string) => void,
): Promise<void> {
  const { policy, clusterName, runId, isDead, emit, signal, clock } = options
  const { name } = session.location
  try {
    const { problems, refused, unfinished } = await prune(session.location, {
      clusterName,
      policy: policy.name,
      rule: policy,
      now: clock.now(),
      runId,
      isDead,
      emit,
      signal,
      onDeleting: (backupIds) => session.rememberDeleting(backupIds),
      justStored: true,
    })
    for (const problem of problems) warn(problem)
    if (refused)
      warn(`retention deleted nothing in ${name}: ${refused}; see what it is, then: palette-backup prune --force`)
    if (unfinished) session.leaveRecord()
  } catch (thrown) {
    session.leaveRecord()
    emit({ type: 'retention.applied', runId, policy: policy.name, location: name, failures: 1, refused: false })
    warn(toFailure(thrown, `applying retention in ${name}`).message)
  }
}

function outcomeOf(
  options: BackupOptions,
  sessions: readonly StoreSession[],
  run: {
    backupId: string
    warnings: string[]
    artifacts: ManifestArtifact[]
    failure: Failure | undefined
    whole: boolean
  },
): BackupOutcome {
  const failed = [
    ...(options.unusable ?? []).map(({ name, failure }) => ({
      location: name,
      stage: 'open',
      failure: failureData(failure),
    })),
    ...sessions.flatMap(({ location, failed: why }) =>
      why ? [{ location: location.name, stage: why.stage, failure: failureData(why.failure) }] : [],
    ),
  ]
  const stored = sessions.filter((session) => session.committed).map((session) => session.location.name)
  const first = run.failure ?? options.unusable?.[0]?.failure
  return {
    result: resultOf(stored.length, failed.length === 0 && run.whole, run.failure, options.signal),
    backupId: run.backupId,
    stored,
    failed,
    warnings: run.warnings,
    sourceBytes: run.artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0),
    storedBytes: run.artifacts.reduce((sum, artifact) => sum + artifact.stored_bytes, 0),
    ...(stored.length === 0 && first ? { failure: first } : {}),
  }
}

function resultOf(stored: number, whole: boolean, failure: Failure | undefined, signal: AbortSignal): RunResult {
  if (stored > 0) return whole ? 'success' : 'partial'
  return signal.aborted || failure?.code === 'cancelled' ? 'cancelled' : 'failed'
}
