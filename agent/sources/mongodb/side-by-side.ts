import { MongoServerError } from 'mongodb'
import { mongodbFailure, readingFailure } from './classify.ts'

const SIDE_BY_SIDE = 4

/**
 * Why the server does not take something, for those who can go on without it. What only failed, because a connection
 * broke or an election began, is thrown: the restore is not finished, and the next one does it.
 */
export function refusal(thrown: unknown, doing: string): string {
  const failure = mongodbFailure(thrown, doing)
  const lost = readingFailure(thrown, doing).code === 'source_changed'
  if (!(thrown instanceof MongoServerError) || failure.retryable || lost) throw failure
  return failure.message
}

/** Runs the task on a few of the items at a time; rejects with the first failure once all that began have ended. */
export async function sideBySide<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  let failed = false
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined && !failed; item = waiting.shift()) {
      await task(item).catch((thrown: unknown) => {
        failed = true
        throw thrown
      })
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: SIDE_BY_SIDE }, worker))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}
