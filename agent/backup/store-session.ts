import { Failure, failureData, toFailure } from '../core/errors.ts'
import type { Leftover, Location, PutOptions } from '../locations/location.ts'
import { replayable } from '../locations/location.ts'
import { measure } from '../pack/measure.ts'
import type { BackupOptions } from './backup-options.ts'
import { readSmall } from './catalog.ts'
import { deleteArtifacts } from './delete-backup.ts'
import { InFlight } from './in-flight.ts'
import { artifactKey, artifactPrefix, manifestKey } from './keys.ts'
import type { Manifest } from './manifest.ts'
import { encodeManifest, FORMAT_VERSION, factsOf } from './manifest.ts'
import type { ManifestArtifact } from './manifest-artifact.ts'
import { sweep } from './sweep.ts'

// Cleaning up must happen although the run was cancelled, and must not hang it.
const CLEANUP_MS = 20_000

/** What a backup consists of once everything is stored. */
export interface Gathered {
  readonly artifacts: readonly ManifestArtifact[]
  readonly warnings: readonly string[]
  /** Every source gave everything. */
  readonly whole: boolean
}

/** Rejects when a stored artifact is not what the manifest will say of it. */
export type Prove = (location: Location, key: string, artifact: ManifestArtifact) => Promise<void>

/** One backup on its way into one location, from the in-flight record to the manifest. */
export class StoreSession {
  readonly location: Location
  committed = false
  /** What was committed holds everything that every source had to give. */
  complete = false
  failed: { readonly stage: string; readonly failure: Failure } | undefined
  readonly #options: BackupOptions
  readonly #backupId: string
  readonly #startedAt: Date
  readonly #inFlight: InFlight
  #opened = false
  #unfinished = false

  constructor(location: Location, backupId: string, startedAt: Date, options: BackupOptions) {
    this.location = location
    this.#options = options
    this.#backupId = backupId
    this.#startedAt = startedAt
    const { clusterName, runId, policy, owner, clock, signal } = options
    this.#inFlight = new InFlight(location, {
      ...{ clusterName, runId, policy: policy.name, backupId, doing: 'backup', owner, clock, signal },
    })
  }

  /** Cleans up after dead runs and puts this run on record. */
  prepare(warn: (message: string) => void): Promise<void> {
    return this.#step('prepare', async () => {
      const { clusterName, isDead, signal, sources, policy, clock } = this.#options
      const release = async (receipt: string): Promise<void> => {
        await sources.find((source) => source.release)?.release?.(receipt, { signal })
      }
      const swept = await sweep(this.location, {
        clusterName,
        policies: [policy.name],
        now: clock.now(),
        isDead,
        signal,
        release,
      })
      for (const problem of swept.problems) warn(problem)
      const { runId, emit } = this.#options
      const { objectsDeleted: objects, problems } = swept
      emit({ type: 'location.swept', runId, location: this.location.name, objects, failures: problems.length })
      this.#opened = true
      await this.#inFlight.open(swept.slot)
    })
  }

  addReceipt(receipt: string): Promise<void> {
    return this.#inFlight.addReceipt(receipt)
  }

  removeReceipt(receipt: string): Promise<void> {
    return this.#inFlight.removeReceipt(receipt)
  }

  /** Stores one artifact and resolves with the size the location confirmed; rejects with the location's failure. */
  async store(file: string, body: AsyncIterable<Uint8Array>): Promise<number> {
    const { clusterName, policy, signal } = this.#options
    const key = artifactKey(clusterName, policy.name, this.#backupId, file)
    const onLeftover: NonNullable<PutOptions['onLeftover']> = (leftover) => this.#inFlight.remember(leftover)
    const { sizeBytes } = await this.location.put(key, body, { signal, onLeftover })
    return sizeBytes
  }

  /** Reads every artifact back whole and compares it with what was sent; `prove` does that, and more. */
  readBack(artifacts: readonly ManifestArtifact[], prove?: Prove): Promise<void> {
    return this.#step('verify', async () => {
      const { clusterName, policy, signal } = this.#options
      for (const artifact of artifacts) {
        const key = artifactKey(clusterName, policy.name, this.#backupId, artifact.file)
        if (prove) {
          await prove(this.location, key, artifact)
          continue
        }
        const found = await measure(this.location.get(key, { signal }))
        if (found.bytes !== artifact.stored_bytes || found.sha256 !== artifact.stored_sha256) {
          throw new Failure(
            `reading back ${key} from ${this.location.name}: it is not what was sent ` +
              `(${found.bytes} of ${artifact.stored_bytes} bytes, SHA-256 ${found.sha256.slice(0, 12)}… ` +
              `instead of ${artifact.stored_sha256.slice(0, 12)}…)`,
            { code: 'damaged', hint: 'Check the disk and the network of the location; the next run tries again.' },
          )
        }
      }
    })
  }

  /** Writes the manifest, reads it back, and tells the world: from here on the backup exists. */
  commit({ artifacts, warnings, whole }: Gathered): Promise<void> {
    return this.#step('commit', async () => {
      await this.#checkListing(artifacts)
      const { clusterName, policy, runId, emit, signal } = this.#options
      const manifest = this.#manifest({ artifacts, warnings, whole })
      const complete = manifest.result === 'complete'
      const key = manifestKey(clusterName, policy.name, this.#backupId, complete)
      const bytes = encodeManifest(manifest)
      const onLeftover = (leftover: Leftover): Promise<void> => this.#inFlight.remember(leftover)
      await this.location.put(key, replayable(bytes), { signal, onLeftover })
      if (Buffer.compare(await readSmall(this.location, key, { signal }), bytes) !== 0) {
        await this.location.delete(key, { signal })
        throw new Failure(`reading back ${key} from ${this.location.name}: it is not what was written`, {
          code: 'damaged',
        })
      }
      this.committed = true
      this.complete = complete
      emit({
        type: 'location.stored',
        runId,
        policy: policy.name,
        location: this.location.name,
        backupId: this.#backupId,
        startedAt: this.#startedAt.toISOString(),
        complete,
        ...factsOf(manifest),
      })
    })
  }

  /** What a listing does not show, no catalog would find again and no retention would remove. */
  async #checkListing(artifacts: readonly ManifestArtifact[]): Promise<void> {
    const { clusterName, policy, signal } = this.#options
    const listed = await this.location.list(artifactPrefix(clusterName, policy.name, this.#backupId), { signal })
    for (const { file, stored_bytes } of artifacts) {
      const key = artifactKey(clusterName, policy.name, this.#backupId, file)
      const entry = listed.find((one) => one.key === key)
      if (entry?.sizeBytes === stored_bytes) continue
      const found = entry ? `is listed with ${entry.sizeBytes} bytes` : 'is not listed'
      throw new Failure(
        `listing ${key} in ${this.location.name}: it was stored with ${stored_bytes} bytes, but ${found}`,
        {
          code: 'damaged',
        },
      )
    }
  }

  rememberDeleting(backupIds: readonly string[]): Promise<void> {
    return this.#inFlight.rememberDeleting(backupIds)
  }

  /** Leaves the record for the sweep: only it knows what is still to be deleted. */
  leaveRecord(): void {
    this.#unfinished = true
  }

  /** Marks the location as failed, once, unless the backup is already there. */
  fail(stage: string, failure: Failure): void {
    if (this.committed || this.failed) return
    this.failed = { stage, failure }
    const { emit, runId, policy } = this.#options
    const { name } = this.location
    emit({ type: 'location.failed', runId, policy: policy.name, location: name, stage, failure: failureData(failure) })
  }

  /** Removes what a failed backup left, then the record. What cannot be removed now stays on record for the sweep. */
  async end(): Promise<void> {
    if (!this.#opened) return
    const signal = AbortSignal.timeout(CLEANUP_MS)
    const { clusterName, policy } = this.#options
    try {
      if (!this.committed) {
        const backup = { policy: policy.name, backupId: this.#backupId }
        await this.#inFlight.discardLeftovers(signal)
        await deleteArtifacts(this.location, clusterName, backup, { signal })
      }
      await (this.#unfinished ? this.#inFlight.stop() : this.#inFlight.close(signal))
    } catch {
      await this.#inFlight.stop()
    }
  }

  #manifest({ artifacts, warnings, whole }: Gathered): Manifest {
    const { policy, runId, clusterName, toolVersion, clock, purpose, target, installation } = this.#options
    return {
      format_version: FORMAT_VERSION,
      tool_version: toolVersion,
      backup_id: this.#backupId,
      run_id: runId,
      cluster_name: clusterName,
      policy: policy.name,
      ...(purpose ? { purpose } : {}),
      ...(target === undefined ? {} : { target }),
      ...(installation ? { installation } : {}),
      started_at: this.#startedAt.toISOString(),
      finished_at: clock.now().toISOString(),
      result: whole ? 'complete' : 'partial',
      warnings: [...warnings],
      retention: { retention_period_days: policy.retentionDays, keep_minimum: policy.keepMinimum },
      artifacts: [...artifacts],
    }
  }

  async #step(stage: string, task: () => Promise<void>): Promise<void> {
    if (this.failed) return
    try {
      await task()
    } catch (thrown) {
      this.fail(stage, toFailure(thrown, `${stage} in ${this.location.name}`))
    }
  }
}
