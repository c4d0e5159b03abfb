import type { WriterOptions, Writers } from '../backup/writers.ts'
import { Failure, toFailure } from '../core/errors.ts'

/** Starting again must happen although the restore was cancelled, and must not hang it. */
const START_AGAIN_MS = 60_000

export interface StoppedOptions extends WriterOptions {
  /** While everything still runs; what it gives is called when everything runs again. */
  readonly prepare?: () => Promise<(() => Promise<void>) | undefined>
}

/**
 * Runs `restore` while nothing of Palette runs. Where stopping fails nothing has been restored, so everything is started
 * again. Where the restore fails Palette stays stopped: it must not run on half a database.
 */
export async function whilePaletteIsStopped<T>(
  writers: Writers,
  { prepare = async () => undefined, ...options }: StoppedOptions,
  restore: () => Promise<T>,
): Promise<T> {
  const running = await writers.find(options)
  const giveBack = await prepare()
  try {
    await writers.stop(running, options)
  } catch (thrown) {
    options.onProgress?.('starting the workloads of Palette again: nothing was restored')
    await writers.start(running, { signal: AbortSignal.timeout(START_AGAIN_MS) }).catch(() => undefined)
    await giveBack?.()
    throw thrown
  }
  let restored: T
  try {
    restored = await restore()
  } catch (thrown) {
    throw running.length === 0 ? thrown : staysStopped(thrown)
  }
  await writers.start(running, options)
  await giveBack?.()
  return restored
}

function staysStopped(thrown: unknown): Failure {
  const failure = toFailure(thrown, 'restoring')
  const { code, retryable, hint } = failure
  return new Failure(failure.message, {
    code,
    retryable,
    cause: thrown,
    hint: [
      ...(hint === undefined ? [] : [hint]),
      'Palette stays stopped: what it would start on may be incomplete. Restore again, this or another backup; ' +
        'only if you know that it is whole, start it with: palette-backup resume',
    ].join('\n  '),
  })
}
