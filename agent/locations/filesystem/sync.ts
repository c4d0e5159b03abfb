import { open } from 'node:fs/promises'
import { errnoOf } from '../../core/errors.ts'

/** A rename is only safe from a power cut once the folder has been flushed. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path)
  await folder.sync().catch((cause: unknown) => {
    // Some network filesystems cannot flush a folder; there the rename itself is the promise.
    if (errnoOf(cause) !== 'EINVAL' && errnoOf(cause) !== 'ENOTSUP') throw cause
  })
}
