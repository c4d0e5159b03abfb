import type { RunEvent } from '../core/events.ts'

/** How far a run is. Rates and estimates are over the stage so far. */
export interface ProgressView {
  readonly stage?: string
  readonly bytes?: number
  readonly totalBytes?: number
  readonly documents?: number
  readonly collection?: string
  readonly bytesPerSecond?: number
  /** An estimate. */
  readonly remainingSeconds?: number
}

type Progress = Extract<RunEvent, { type: 'run.progress' }>

/** Folded from the events of one run. */
export class RunProgress {
  #stage: { readonly name: string; readonly startedMs: number } | undefined
  #last: { readonly progress: Progress; readonly atMs: number } | undefined

  onEvent(event: RunEvent, nowMs: number): void {
    if (event.type === 'run.stage') {
      this.#stage = { name: event.stage, startedMs: nowMs }
      this.#last = undefined
    }
    if (event.type === 'run.progress') this.#last = { progress: event, atMs: nowMs }
  }

  view(): ProgressView {
    const stage = this.#stage ? { stage: this.#stage.name } : {}
    if (!this.#last) return stage
    const { progress, atMs } = this.#last
    const { bytes, totalBytes, documents, collection } = progress
    const seconds = (atMs - (this.#stage?.startedMs ?? atMs)) / 1000
    const bytesPerSecond = seconds > 0 ? Math.round(bytes / seconds) : 0
    const left = totalBytes === undefined ? 0 : Math.max(0, totalBytes - bytes)
    const canEstimate = totalBytes !== undefined && bytesPerSecond > 0
    return {
      ...stage,
      bytes,
      documents,
      ...(totalBytes === undefined ? {} : { totalBytes }),
      ...(collection === undefined ? {} : { collection }),
      ...(bytesPerSecond > 0 ? { bytesPerSecond } : {}),
      ...(canEstimate ? { remainingSeconds: Math.ceil(left / bytesPerSecond) } : {}),
    }
  }
}
