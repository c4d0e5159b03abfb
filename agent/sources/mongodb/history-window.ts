import { type Db, MongoServerError } from 'mongodb'
import { Failure, throwIfAborted } from '../../core/errors.ts'
import type { Receipts } from '../source.ts'
import { mongodbFailure } from './classify.ts'
import { ask, CLEANUP_MS, COMMENT, QUESTION_MS, type Reading } from './operation.ts'

/** MongoDB manual, MongoDB Server Parameters: how long a member keeps what snapshot reads need. Default: 300 seconds. */
const PARAMETER = 'minSnapshotHistoryWindowInSeconds'

export interface ExtendedWindow {
  /** Why the window is what it was, if it could not be extended. */
  readonly problem?: string
  putBack(): Promise<void>
}

/** What stands in the record of a run, so that another one can put back what this one could not. */
export interface WindowReceipt {
  readonly source: 'mongodb'
  readonly host: string
  readonly parameter: typeof PARAMETER
  readonly was: number
  readonly set: number
}

/**
 * Asks the member that is read to keep `seconds` of history, and remembers what it was before it asks. Costs the member
 * cache while the backup runs; a member that keeps more already is left alone.
 */
export async function extendWindow(
  admin: Db,
  host: string,
  seconds: number,
  receipts: Receipts | undefined,
): Promise<ExtendedWindow> {
  const untouched = { putBack: () => Promise.resolve() }
  try {
    const was = await currentWindow(admin)
    if (was >= seconds) return untouched
    const receipt: WindowReceipt = { source: 'mongodb', host, parameter: PARAMETER, was, set: seconds }
    const text = JSON.stringify(receipt)
    await receipts?.add(text)
    await setWindow(admin, seconds)
    return {
      async putBack() {
        await putBack(admin, receipt)
        await receipts?.remove(text)
      },
    }
  } catch (thrown) {
    return { ...untouched, problem: mongodbFailure(thrown, `extending the snapshot window of ${host}`).message }
  }
}

/** Only where the member still has what this program set: what somebody else set since is his. */
export async function putBack(admin: Db, { was, set }: WindowReceipt): Promise<void> {
  if ((await currentWindow(admin)) === set) await setWindow(admin, was)
}

export function parseReceipt(text: string): WindowReceipt {
  const value: unknown = JSON.parse(text)
  if (isReceipt(value)) return value
  throw new Failure('the record of a dead run holds a receipt this program cannot read', { code: 'damaged' })
}

function isReceipt(value: unknown): value is WindowReceipt {
  if (typeof value !== 'object' || value === null) return false
  return (
    'source' in value &&
    value.source === 'mongodb' &&
    'host' in value &&
    typeof value.host === 'string' &&
    'parameter' in value &&
    value.parameter === PARAMETER &&
    'was' in value &&
    typeof value.was === 'number' &&
    'set' in value &&
    typeof value.set === 'number'
  )
}

/** How much history a member keeps, in seconds; undefined where it does not tell. */
export async function keptHistory(admin: Db, reading: Reading): Promise<number | undefined> {
  try {
    const seconds = Number((await ask(admin, { getParameter: 1, [PARAMETER]: 1 }, reading))[PARAMETER])
    return seconds > 0 ? seconds : undefined
  } catch (thrown) {
    throwIfAborted(reading.signal, 'asking for the snapshot window')
    if (!(thrown instanceof MongoServerError)) throw thrown
    return undefined
  }
}

async function currentWindow(admin: Db): Promise<number> {
  const asked = { getParameter: 1, [PARAMETER]: 1, comment: COMMENT, maxTimeMS: QUESTION_MS }
  return Number((await admin.command(asked, { signal: AbortSignal.timeout(CLEANUP_MS) }))[PARAMETER])
}

async function setWindow(admin: Db, seconds: number): Promise<void> {
  const asked = { setParameter: 1, [PARAMETER]: seconds, comment: COMMENT, maxTimeMS: QUESTION_MS }
  await admin.command(asked, { signal: AbortSignal.timeout(CLEANUP_MS) })
}
