import { toFailure } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import type { RestorableSource } from '../sources/source.ts'
import type { BackupOptions } from './backup-options.ts'
import type { ManifestArtifact } from './manifest-artifact.ts'
import { keepProof, scratchPrefix } from './proof.ts'
import { proveArtifact } from './prove-artifact.ts'
import type { Prove, StoreSession } from './store-session.ts'

/** What a run needs to prove more of its backup than that its bytes are those that were sent. */
export interface ProveStored {
  readonly identity?: Secret
  /** A server to restore into; without one the level `restore` is not reached. */
  readonly target?: RestorableSource
}

/**
 * Reads back what was stored in each location before its manifest is written. One copy is proven as far as the policy
 * wants; the others are compared with it byte for byte, so that it is proven of them too. Gives the level that was reached.
 */
export async function proveStored(
  sessions: () => readonly StoreSession[],
  artifacts: readonly ManifestArtifact[],
  made: Made,
  options: BackupOptions,
  warn: (message: string) => void,
): Promise<'content' | 'decode' | 'restore'> {
  const level = reachable(artifacts, options, warn)
  const compared = new Set<StoreSession>()
  if (level !== 'content') {
    // A copy that is damaged proves nothing about the next one: that one is tried as far.
    for (const session of sessions()) {
      compared.add(session)
      await session.readBack(artifacts, prover(level, session, options))
      if (!session.failed) break
      if (session.failed.failure.code === 'damaged') options.emit({ ...verified(session, made, options), ok: false })
    }
  }
  const others = sessions().filter((session) => !compared.has(session))
  await Promise.all(others.map((session) => session.readBack(artifacts)))
  return level
}

function prover(level: 'decode' | 'restore', { location }: StoreSession, options: BackupOptions): Prove {
  const { clusterName, policy, sources, signal, proving } = options
  const { identity, target } = proving ?? {}
  const scratch = target && { source: target, prefix: scratchPrefix(clusterName, policy.name, location.name) }
  const proveOptions = { sources, signal, ...(identity ? { identity } : {}), ...(scratch ? { scratch } : {}) }
  return async (where, key, artifact) => {
    await proveArtifact('decode', where, key, artifact, proveOptions)
    if (level === 'restore') await proveArtifact('restore', where, key, artifact, proveOptions)
  }
}

/** The policy's level, or how far it can be done, which is told. */
function reachable(
  artifacts: readonly ManifestArtifact[],
  { policy, proving }: BackupOptions,
  warn: (message: string) => void,
): 'content' | 'decode' | 'restore' {
  const wanted = policy.verifyAfterBackup
  if (wanted === 'content') return wanted
  if (artifacts.some(({ encryption }) => encryption) && !proving?.identity) {
    warn(
      `verify_after_backup: ${wanted} was not done: the backup is encrypted, and there is no identity to open it; ` +
        'set provider.palette.age_identity, or verify it where the identity is',
    )
    return 'content'
  }
  if (wanted === 'decode' || proving?.target) return wanted
  warn('verify_after_backup: restore was not done: there is no server to restore into; the backup was decoded')
  return 'decode'
}

/** Keeps the proof beside the backup and tells it; a proof that cannot be kept takes nothing from the backup. */
export async function keepProofs(
  sessions: readonly StoreSession[],
  level: 'content' | 'decode' | 'restore',
  made: Made,
  options: BackupOptions,
  warn: (message: string) => void,
): Promise<void> {
  if (level === 'content') return
  const { clusterName, policy, emit, clock, toolVersion, signal } = options
  const { backupId } = made
  const proof = { level, verified_at: clock.now().toISOString(), tool_version: toolVersion }
  for (const session of sessions) {
    const { location } = session
    try {
      await keepProof(location, clusterName, { policy: policy.name, backupId }, proof, { signal })
      emit({ ...verified(session, made, options), ok: true })
    } catch (thrown) {
      if (signal.aborted) return
      warn(`the proof of ${backupId} could not be kept in ${location.name}: ${toFailure(thrown).message}`)
    }
  }
}

/** The backup that a run makes. */
interface Made {
  readonly backupId: string
  readonly startedAt: Date
}

function verified({ location }: StoreSession, { backupId, startedAt }: Made, { runId, policy }: BackupOptions) {
  const of = { runId, policy: policy.name, location: location.name, backupId }
  return { type: 'backup.verified', ...of, startedAt: startedAt.toISOString() } as const
}
