import { readCatalog } from '../../agent/backup/catalog.ts'
import { type PruneOptions, type PruneOutcome, prune } from '../../agent/backup/prune.ts'
import { runBackup } from '../../agent/backup/run-backup.ts'
import type { UnfinishedRestore } from '../../agent/backup/unfinished-restore.ts'
import { systemClock } from '../../agent/core/clock.ts'
import type { RunEvent } from '../../agent/core/events.ts'
import { DAY_MS } from '../../agent/core/units.ts'
import { testPolicy } from '../runs/test-config.ts'
import { MemoryLocation } from '../support/memory-location.ts'
import { fakeSource } from './fake-source.ts'
import { OWNER } from './nightly-run.ts'

export const NOW = new Date('2026-11-24T12:00:00Z')
export const REF = { clusterName: 'prod', policy: 'nightly' }

export const never = () => new AbortController().signal

/** A location with backups of chosen ages, and what pruning it did and told. */
export class PruneWorld {
  readonly nas = new MemoryLocation('nas')
  readonly events: RunEvent[] = []
  readonly intents: (readonly string[])[] = []

  /** Makes whole backups of so many days ago; gives their ids, in that order. */
  async store(...agesDays: number[]): Promise<string[]> {
    const ids: string[] = []
    for (const age of agesDays) {
      const at = new Date(NOW.getTime() - age * DAY_MS)
      const { backupId } = await runBackup({
        runId: 'run22222',
        clusterName: 'prod',
        policy: testPolicy({ backupLocations: ['nas'], retentionDays: 3650 }),
        sources: [fakeSource()],
        locations: [this.nas],
        owner: OWNER,
        isDead: () => false,
        toolVersion: '0.1.0',
        clock: { ...systemClock, now: () => at },
        emit: () => undefined,
        signal: never(),
      })
      ids.push(backupId)
    }
    return ids
  }

  prune(changes: Partial<PruneOptions> = {}): Promise<PruneOutcome> {
    return prune(this.nas, {
      ...REF,
      rule: { retentionDays: 14, keepMinimum: 1 },
      now: NOW,
      runId: 'prune222',
      isDead: () => false,
      emit: (event) => this.events.push(event),
      signal: never(),
      onDeleting: async (ids) => void this.intents.push(ids),
      ...changes,
    })
  }

  /** Ids of the backups that are there. */
  async left(): Promise<string[]> {
    return (await readCatalog(this.nas, REF, { signal: never() })).map(({ backupId }) => backupId)
  }

  keysOf(backupId: string): string[] {
    return this.nas.keys.filter((key) => key.includes(backupId))
  }
}

/** A restore that has begun to change its target. */
export function unfinishedRestore(target: string, backupId: string, safety?: string): UnfinishedRestore {
  const replaced = { databases: ['hubbledb'], drop: ['hubbledb'], collections: [] }
  return {
    ...{ format_version: 1, run_id: 'rest2222', target, owner: OWNER, backup_id: backupId, policy: 'nightly' },
    ...{ ...replaced, stage: 'restoring', started_at: NOW.toISOString() },
    ...(safety === undefined ? {} : { safety: { backup_id: safety, complete: true } }),
  }
}
