import { Failure, toFailure } from '../core/errors.ts'
import type { CallOptions, Location } from '../locations/location.ts'
import { restoreKey } from './keys.ts'
import { unfinishedRestores } from './unfinished-restore.ts'

export interface HalfRestoredOptions extends CallOptions {
  readonly clusterName: string
  /** `host:port` of what is backed up. */
  readonly target: string
  readonly warn: (message: string) => void
}

/**
 * Rejects while a restore into what is backed up is on record as unfinished: what stands there may be half of two
 * states, and a backup of it would be taken for the newest good one.
 */
export async function refuseHalfRestored(locations: readonly Location[], options: HalfRestoredOptions): Promise<void> {
  const { clusterName, target, warn, signal } = options
  for (const location of locations) {
    const found = await unfinishedRestores(location, clusterName, options).catch((thrown: unknown) => {
      if (signal.aborted) throw thrown
      warn(`whether a restore is unfinished could not be told from ${location.name}: ${toFailure(thrown).message}`)
      return []
    })
    const restore = found.find((one) => one.target === target)
    if (!restore) continue
    throw new Failure(
      `backing up ${target}: the restore of ${restore.backup_id} into it is not finished, so it may hold half of two states`,
      {
        code: 'refused',
        hint:
          `Wait for its end, or finish it with: palette-backup restore ${restore.backup_id}\n  or undo it with: palette-backup restore --rollback\n` +
          `  Put right by other means? Then delete ${restoreKey(clusterName, target)} in ${location.name}.`,
      },
    )
  }
}
