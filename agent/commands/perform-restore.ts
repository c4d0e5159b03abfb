import { proveTarget, putBack } from '../backup/restore.ts'
import type { RestorePlan } from '../backup/restore-plan.ts'
import { forgetRestore, recordRestore, replacedBy, type UnfinishedRestore } from '../backup/unfinished-restore.ts'
import type { UnpackOptions } from '../backup/unpack.ts'
import type { Writers } from '../backup/writers.ts'
import { toFailure } from '../core/errors.ts'
import type { Location } from '../locations/location.ts'
import type { RestorableSource } from '../sources/source.ts'
import type { CommandContext } from './context.ts'
import { thisOwner } from './owner.ts'
import type { Restored } from './restore-text.ts'
import { type StoppedOptions, whilePaletteIsStopped } from './stopped-palette.ts'

export interface RestoreWork {
  readonly clusterName: string
  readonly runId: string
  readonly location: Location
  readonly plan: RestorePlan
  readonly source: RestorableSource
  readonly unpack: UnpackOptions
  readonly writers: Writers
  readonly stopping: StoppedOptions
  readonly safety: UnfinishedRestore['safety']
  /** Where a restore that broke off before is on record. */
  readonly before: Location | undefined
  readonly stage: (name: string) => void
  /** Puts objects of the cluster back, once the databases are proven. */
  readonly applyObjects: () => Promise<void>
}

/**
 * The part of a restore that changes its target. From before the first change until the target is proven, the location
 * says that it is unfinished; one that breaks off is finished or rolled back by the next.
 */
export async function performRestore(work: RestoreWork, { clock, stderr, signal }: CommandContext): Promise<Restored> {
  const { clusterName, runId, location, plan, source, unpack, stage, safety } = work
  const { manifest, target } = plan
  const warn = (message: string): void => stderr.write(`Warning: ${message}\n`)
  const record: UnfinishedRestore = {
    ...{ format_version: 1, run_id: runId, target: target.host, owner: thisOwner() },
    ...{ backup_id: manifest.backup_id, policy: manifest.policy, ...replacedBy(plan) },
    ...{ stage: 'restoring', started_at: clock.now().toISOString() },
    ...(safety ? { safety } : {}),
  }
  const remember = async (state: UnfinishedRestore): Promise<void> => {
    await recordRestore(location, clusterName, state, { signal }).catch((thrown: unknown) => {
      warn(`nothing will tell that this restore is unfinished if it breaks off: ${toFailure(thrown).message}`)
    })
  }
  await remember(record)
  return await whilePaletteIsStopped(work.writers, work.stopping, async () => {
    stage('restoring')
    const outcome = await putBack(location, clusterName, plan, source, unpack)
    stage('comparing')
    await remember({ ...record, stage: 'comparing' })
    const notes = await proveTarget(plan, source, outcome, unpack)
    await work.applyObjects()
    for (const keeper of new Set([location, work.before ?? location])) {
      await forgetRestore(keeper, clusterName, record, { signal }).catch((thrown: unknown) => {
        warn(`the restore is finished, and still on record as unfinished: ${toFailure(thrown).message}`)
      })
    }
    return { ...outcome, notes, ...(safety ? { safetyBackup: safety.backup_id } : {}) }
  })
}
